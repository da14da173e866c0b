"""Authoring: what a loop file says, and the plan made from it. Pure: no database, no Dagster, nothing is sent."""
