"""The skene_* tables, as statements see them. The migrations create them; a test holds the two together.

Times are DATETIME(6) in UTC. `user_id` has the very type and collation of the mapped users key (NullType here:
values pass through as the driver gives them); TiDB compares a number column with a text column as DOUBLE and
matches the wrong people (seen 2026-11), so no statement may ever compare the key with anything else.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
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

sends = Table(
    "skene_sends",
    metadata,
    # One row per mode, loop, step, user and occurrence: this key is the promise that nobody is mailed twice.
    Column("mode", String(16), primary_key=True),  # live | redirect | outbox
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),
    Column("send_id", String(32), nullable=False),  # uuid5 of the key above, in hex
    Column("state", String(16), nullable=False),  # skipped | reserved | accepted | refused | in_doubt
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

steps = Table(
    "skene_steps",
    metadata,
    # How far a step has decided. A tick looks at who entered after that, and at who is due in skene_deferred.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("reserved_as_of", Moment),  # the last tick of which everybody is decided; NULL: nobody, look at all
    Column("digest", String(64), nullable=False),  # of what decisions depend on beside the user
    Column("hold", String(16)),  # why nobody of the step is decided now: paused | first_wave
    Column("fence", BigInteger, nullable=False),  # grows with every page: whoever decides about one holds the row
)

deferred = Table(
    "skene_deferred",
    metadata,
    # Who is decided again: at the first tick from ask_at on. A row has its key as skene_sends will have it.
    Column("mode", String(16), primary_key=True),
    Column("loop", String(48), primary_key=True),
    Column("step", String(48), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("occurrence", String(64), primary_key=True),
    Column("reason", String(64), nullable=False),
    Column("detail", String(255)),
    Column("as_of", Moment, nullable=False),  # the tick of the decision
    Column("decided_at", Moment, nullable=False),
    Column("ask_at", Moment, nullable=False),  # in the time of ticks
    Index("skene_deferred_due", "mode", "loop", "step", "ask_at", "user_id"),
)

batches = Table(
    "skene_batches",
    metadata,
    Column("batch_id", String(32), primary_key=True),  # the idempotency key's last part
    Column("mode", String(16), nullable=False),
    Column("loop", String(48), nullable=False),
    Column("step", String(48), nullable=False),
    Column("state", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("parent_id", String(32)),
    Column("as_of", Moment, nullable=False),
    Column("reserved_at", Moment, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("payload", Blob),  # the frozen body, zlib; gone when settled
    Column("provider", String(16)),  # who made the frozen body, and takes it; NULL before
    Column("send_ids", Text),  # whose emails the frozen body holds, in its order: hex digits with spaces between
    Column("frozen_at", Moment),
    Column("first_attempt_at", Moment),
    Column("unresolved_since", Moment),  # set before a POST, cleared by a definite answer
    Column("last_attempt_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("error", String(500)),  # what was said last: by the provider, its records, or what failed
    Column("settled_at", Moment),
    Column("written_back_at", Moment),  # when `set` was written to the users table
    Column("due_at", Moment),  # before then it does not exist for those who send; NULL (of old rows): it is due
    Column("unanswered_at", Moment),  # the last attempt that got no answer; the records are asked about it
    Column("absent_at", Moment),  # when the provider's records first showed nothing of the batch
    Column("refusal", String(500)),  # what the key was refused with after an attempt without answer: it is used no more
    Index("skene_batches_open", "mode", "loop", "step", "state"),
    Index("skene_batches_state", "state", "unresolved_since"),
)

recovered = Table(
    "skene_recovered",
    metadata,
    # What a ledger from a backup did not know any more: sends that the provider has accepted, by its own records.
    Column("send_id", String(32), primary_key=True),
    Column("provider_id", String(64), nullable=False),
    Column("accepted_at", Moment, nullable=False),
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
    # One row per account of a provider, shared by all runs: when the next may call.
    Column("account", String(64), primary_key=True),
    Column("per_second", Double, nullable=False),  # calls, the provider's whole limit
    Column("next_at", Moment, nullable=False),  # the next free slot
    Column("closed_until", Moment),  # a quota is used up
    Column("reason", String(255)),
)

events = Table(
    "skene_events",
    metadata,
    # What users did, as `track` and POST /v1/track tell it. An event is written once: its id is the key.
    Column("event_id", String(64), primary_key=True),
    Column("user_id", NullType, nullable=False),
    Column("name", String(128), nullable=False),
    Column("occurred_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),  # the database's time when the row was written
    Column("properties", Text),  # JSON
    Index("skene_events_received", "received_at"),
    Index("skene_events_name", "name", "received_at"),
    Index("skene_events_user", "user_id", "occurred_at"),
)

rollups = Table(
    "skene_rollups",
    metadata,
    # One row per rollup: how far it has come, and who is at it.
    Column("rollup", String(64), primary_key=True),
    Column("as_of", Moment),  # of the last one that was completed
    Column("first_as_of", Moment),
    Column("writing_as_of", Moment),  # of the last one that wrote; above as_of: it is half-written
    Column("watermark", Moment),  # events that arrived until then have been looked at
    Column("fence", BigInteger, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    Column("finished_at", Moment),
)

definitions = Table(
    "skene_definitions",
    metadata,
    # What skene.yaml said at the last rollup. What has changed since is computed again, for everybody.
    Column("name", String(64), primary_key=True),  # events | levels | feature:<name> | milestone:<name>
    Column("digest", String(64), nullable=False),
    Column("first_on", Date, nullable=False),  # the day (UTC) of the first rollup that knew it as it is now
)

events_ahead = Table(
    "skene_events_ahead",
    metadata,
    # Days of which some events have arrived that the last rollup was too early for: their `at` was not before as_of.
    Column("user_id", NullType, primary_key=True),
    Column("day", Date, primary_key=True),
)

user_days = Table(
    "skene_user_days",
    metadata,
    # What a user did on a day (UTC), by event (`feature:<name>` for a feature's SQL); counted again, never added to.
    Column("user_id", NullType, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("event", String(128), primary_key=True),
    Column("uses", Integer, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Index("skene_user_days_day", "day"),
)

user_activity = Table(
    "skene_user_activity",
    metadata,
    Column("user_id", NullType, primary_key=True),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("days", Integer, nullable=False),  # on which the user was active
    Column("uses", BigInteger, nullable=False),
    # All of these are of what was done, and do not change when time passes.
    Column("active_since", Moment, nullable=False),  # when they last came back after `levels.slipping`; else first_at
    Column("returned_at", Moment),  # when they last came back after `levels.dormant` without activity
    Column("power_since", Moment),  # when they last became a power user
    Column("power_until", Moment),  # when their days in the window are too few again, if nothing more is done
    Index("skene_user_activity_last", "last_at"),
)

feature_adoption = Table(
    "skene_feature_adoption",
    metadata,
    # Who never tried a feature has no row.
    Column("user_id", NullType, primary_key=True),
    Column("feature", String(64), primary_key=True),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("uses", BigInteger, nullable=False),
    Column("days", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # tried | adopted | lapsed
    Column("state_since", Moment, nullable=False),
    Index("skene_feature_adoption_state", "feature", "state", "last_at"),
)

engagement_levels = Table(
    "skene_engagement_levels",
    metadata,
    # A user is at one level at a time: one row with left_at = OPEN; the others are the history.
    Column("user_id", NullType, primary_key=True),
    Column("left_at", Moment, primary_key=True),
    Column("level", String(16), nullable=False),  # new | active | power | slipping | dormant | resurrected
    Column("entered_at", Moment, nullable=False),
    Column("changes_at", Moment, nullable=False),  # when it ends if the user does nothing; OPEN: never
    Index("skene_engagement_levels_level", "left_at", "level", "entered_at"),
    Index("skene_engagement_levels_due", "left_at", "changes_at"),
)

milestones = Table(
    "skene_milestones",
    metadata,
    # Reached once, for ever: this key.
    Column("milestone", String(64), primary_key=True),
    Column("user_id", NullType, primary_key=True),
    Column("reached_on", Date, nullable=False),  # the day (UTC)
    Column("recorded_at", Moment, nullable=False),  # the as_of of the rollup that found it
    Index("skene_milestones_reached", "milestone", "reached_on"),
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
