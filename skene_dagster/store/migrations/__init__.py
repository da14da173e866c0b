"""The schema's history: `env.py` for Alembic, one file per revision. Run by `skene_dagster.store.schema`."""
