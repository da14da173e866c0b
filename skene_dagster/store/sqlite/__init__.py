"""The embedded database: functions with the meaning that they have in MySQL."""
