"""Which versions of the project's files have run."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from skene_dagster.store.tables.database import Moment, metadata

versions = Table(
    "skene_versions",
    metadata,
    # A version of a loop (its file, its templates), or of skene.yaml ('*'), that has run. Nobody is named in it.
    Column("loop", String(48), primary_key=True),
    Column("number", Integer, primary_key=True),  # 1, 2, 3 …
    Column("since", Moment, nullable=False),  # the tick of the first run that had it
    Column("digest", String(64), nullable=False),  # of `described`
    Column("described", Text, nullable=False),  # JSON: what it says, as far as the next one is compared with it
    Column("said", Text, nullable=False),  # JSON: in words, what it changed
    Index("skene_versions_since", "since"),
)
