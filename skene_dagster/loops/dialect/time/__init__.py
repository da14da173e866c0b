"""Clocks, dates, intervals and windows in an author's SQL."""
