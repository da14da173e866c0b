"""What a project's assets are called in Dagster, alone and beside definitions that are not ours."""
