"""What loops share: the emails of a day, and the last place that a recipient has for one."""
