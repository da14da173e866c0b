"""The skene_* tables, as statements see them. The migrations create them; a test holds the two together.

Times are DATETIME(6) in UTC. `user_id` has the very type and collation of the mapped users key (NullType here:
values pass through as the driver gives them); TiDB compares a number column with a text column as DOUBLE and
matches the wrong people (seen 2026-11), so no statement may ever compare the key with anything else.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB
from sqlalchemy.types import NullType

metadata = MetaData()

Moment = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
Blob = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")

OPEN = datetime(9999, 12, 31)
"""`exited_at` of a user who is inside: NOT NULL, so that a unique key can say «inside only once»."""

meta = Table(
    "skene_meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(255), nullable=False),
)

segments = Table(
    "skene_segments",
    metadata,
    Column("segment", String(100), primary_key=True),  # <loop>.<step>
    Column("as_of", Moment),  # of the last refresh that was completed; the licence to send
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
)

segment_members = Table(
    "skene_segment_members",
    metadata,
    Column("segment", String(100), primary_key=True),
    # A user is inside a segment at most once: one row with exited_at = OPEN. It comes before the key, so that
    # those inside lie together in the key's order, however long the history grows.
    Column("exited_at", Moment, primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("entered_at", Moment, nullable=False),
    Column(
        "exit_reason", String(16)
    ),  # left | gone (no longer a user) | set (our own write); 'set' while inside: expected
    Column("attributes", Text),  # JSON of the condition's own columns that the email names
)

sends = Table(
    "skene_sends",
    metadata,
    # One row per channel, loop, step, user and occurrence: this key is the promise that nobody is mailed twice.
    Column("channel", String(16), primary_key=True),  # live | redirect | outbox
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),
    Column("send_id", String(32), nullable=False),  # uuid5 of the key above, in hex
    Column("state", String(16), nullable=False),  # deferred | skipped | reserved | accepted | refused | in_doubt
    Column("reason", String(64)),
    Column("detail", String(255)),
    Column("as_of", Moment, nullable=False),  # the tick of the decision
    Column("decided_at", Moment, nullable=False),
    Column("batch_id", String(32)),
    Column("position", SmallInteger),
    Column("provider_id", String(64)),
    Column("accepted_at", Moment),
    Index("skene_sends_batch", "batch_id", "position"),
)

batches = Table(
    "skene_batches",
    metadata,
    Column("batch_id", String(32), primary_key=True),  # the idempotency key's last part
    Column("channel", String(16), nullable=False),
    Column("loop", String(48), nullable=False),
    Column("step", String(48), nullable=False),
    # reserved → frozen → (accepted, while `set` is still to be written) → settled; or split, in_doubt
    Column("state", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("parent_id", String(32)),
    Column("as_of", Moment, nullable=False),
    Column("reserved_at", Moment, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("payload", Blob),  # the frozen body, zlib; gone when settled
    Column("send_ids", Text),  # whose emails the frozen body holds, in its order: hex digits with spaces between
    Column("frozen_at", Moment),
    Column("first_attempt_at", Moment),
    Column("unresolved_since", Moment),  # set before a POST, cleared by a definite answer
    Column("last_attempt_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("error", String(500)),
    Column("settled_at", Moment),
    Column("written_back_at", Moment),  # when `set` was written to the users table
    Index("skene_batches_open", "channel", "loop", "step", "state"),
    Index("skene_batches_state", "state", "unresolved_since"),
)

controls = Table(
    "skene_controls",
    metadata,
    # What people have ordered: about a step, about all steps of a loop (step '*'), or about all loops ('*', '*').
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("paused_at", Moment),
    Column("cancelled_at", Moment),  # what was reserved until then, and not yet attempted, is not sent
    Column("approved_at", Moment),  # of the first wave
)

pacing = Table(
    "skene_pacing",
    metadata,
    # One row per account of a provider, shared by all runs: whose turn is when.
    Column("account", String(64), primary_key=True),
    Column("per_second", Double, nullable=False),  # calls, the provider's whole limit
    Column("next_at", Moment, nullable=False),  # the next free turn
    Column("closed_until", Moment),  # a quota is used up
    Column("reason", String(255)),
)
