"""Growth loops on TiDB: segments in the database, emails sent once, everything visible in Dagster."""

from skene_dagster.loops.python_file import define_loop

__all__ = ["define_loop"]
