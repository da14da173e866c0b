"""To which address each send goes, for frequency caps over all loops, and from when on a batch may leave."""

import sqlalchemy as sa
from alembic import context, op

from skene_dagster.store.migrations import columns
from skene_dagster.store.migrations.columns import MOMENT

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    contacts = op.create_table(
        "skene_contacts",
        sa.Column("mode", sa.String(16), primary_key=True),
        sa.Column("loop", sa.String(48), primary_key=True),
        sa.Column("step", sa.String(48), primary_key=True),
        sa.Column("user_id", context.config.attributes["user_id"], primary_key=True),
        sa.Column("occurrence", sa.String(64), primary_key=True),
        sa.Column("recipient", sa.String(66), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
    for name, indexed in (("recipient", ("recipient", "mode")), ("decided", ("decided_at",))):
        index = sa.Index(f"skene_contacts_{name}", *(contacts.c[column] for column in indexed))
        index.create(op.get_bind(), checkfirst=True)
    columns.add("skene_batches", sa.Column("not_before", MOMENT))
