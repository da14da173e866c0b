"""What Alembic executes: the revisions, on the connection that `skene_dagster.store.schema` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    # `schema` creates the version table; Alembic, which cannot find it if that is only printed, would create it again.
    dont_mutate=True,
)
with context.begin_transaction():
    context.run_migrations()
