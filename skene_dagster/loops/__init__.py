"""Authoring: what a loop file says, and the plan that it means. Pure: no database, no Dagster, nothing is sent."""
