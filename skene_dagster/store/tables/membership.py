"""Segments: who is in which, for which rows of the product, and who is blocked."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlalchemy.types import NullType

from skene_dagster.store.tables.database import Moment, metadata

segments = Table(
    "skene_segments",
    metadata,
    Column("segment", String(100), primary_key=True),  # <loop>.<step>
    Column("as_of", Moment),  # of the last refresh that was completed; the clearance
    Column("first_as_of", Moment),
    Column("writing_as_of", Moment),  # of the last refresh that wrote history; above as_of: it is half-written
    Column("fence", BigInteger, nullable=False),  # grows with every refresh that starts; only the highest may write
    Column("owner", String(64)),  # who refreshes now
    Column("lease_until", Moment),
    Column("members", BigInteger, nullable=False),
    Column("entered", BigInteger, nullable=False),  # by the last refresh
    Column("exited", BigInteger, nullable=False),
    Column("unknown_keys", BigInteger, nullable=False),  # rows whose key is NULL or no user's
    Column("refreshed_at", Moment),
    Column("accepted_at", Moment),  # a person accepted whatever change the next refresh finds
)

segment_members = Table(
    "skene_segment_members",
    metadata,
    Column("segment", String(100), primary_key=True),
    # At most one row of a user is OPEN. `exited_at` comes before the key, so that those inside lie together.
    Column("exited_at", Moment, primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("entered_at", Moment, nullable=False),
    Column("exit_reason", String(16)),  # left | gone (no longer a user) | set (our own write)
    Column("set_at", Moment),  # when our own `set` was last written for this user
    Column("attributes", Text),  # JSON of the condition's own columns that the email names
)

triggered = Table(
    "skene_triggered",
    metadata,
    # A row of the product that triggered a step, and for which its condition held: who is mailed about it.
    Column("mode", String(16), primary_key=True),
    Column("segment", String(100), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),  # the trigger row's key; the parent send's id for `after`
    Column("triggered_at", Moment, nullable=False),
    Column("entered_at", Moment, nullable=False),  # the tick at which the condition held
    Column("attributes", Text),  # JSON of the columns that the email names
    Index("skene_triggered_entered", "mode", "segment", "entered_at"),
)

entitlements = Table(
    "skene_entitlements",
    metadata,
    # What the product reads before it lets a user do something: blocked while lifted_at is OPEN.
    Column("mode", String(16), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("lifted_at", Moment, primary_key=True),
    Column("blocked_at", Moment, nullable=False),
    Column("message", Text, nullable=False),
)
