"""A small product's users, living a few simulated days while the retention loop runs over them through Dagster."""
