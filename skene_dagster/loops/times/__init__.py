"""Cron expressions, time zones, days of the calendar, waits."""
