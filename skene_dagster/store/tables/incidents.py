"""What is wrong, for as long as it lasts, and who was told of it."""

from sqlalchemy import Column, Index, SmallInteger, String, Table

from skene_dagster.store.tables.database import Moment, metadata

incidents = Table(
    "skene_incidents",
    metadata,
    # What a person should look at, once for as long as it lasts: this key says so.
    Column("kind", String(32), primary_key=True),
    Column("subject", String(191), primary_key=True),  # what it is about: a step, a file, an account, a machine
    Column("closed_at", Moment, primary_key=True),  # when it was over; 9999-12-31 while it lasts
    Column("opened_at", Moment, nullable=False),
    Column("about", String(255), nullable=False),  # the subject, as people read it
    Column("said", String(1000), nullable=False),  # what is wrong
    Column("to_do", String(255), nullable=False),
    Column("gone_at", Moment),  # since when it is not found any more; it may come back
    Column("told_at", Moment),  # when all targets had answered that they have it
    Column("told_to", String(255), nullable=False),  # which targets have it by now, with spaces between
    Column("over_told_at", Moment),  # the same of its end
    Column("over_told_to", String(255), nullable=False),
    Index("skene_incidents_closed", "closed_at"),
)

failures = Table(
    "skene_failures",
    metadata,
    # An op whose latest attempt failed: until it succeeds.
    Column("loop", String(48), primary_key=True),  # empty: it belongs to no loop
    Column("step", String(48), primary_key=True),
    Column("op", String(128), primary_key=True),
    Column("failed_at", Moment, nullable=False),  # the first time in a row
    Column("may_pass", SmallInteger, nullable=False),  # 1: it is tried again, and may work by itself
    Column("said", String(1000), nullable=False),
    Column("to_do", String(255), nullable=False),
)

alerts = Table(
    "skene_alerts",
    metadata,
    # A target that refused an alert, until it takes one.
    Column("target", String(16), primary_key=True),  # a hash of its address
    Column("refused_at", Moment, nullable=False),
    Column("answer", String(64), nullable=False),
)
