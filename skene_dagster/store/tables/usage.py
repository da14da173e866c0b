"""What users did, and what follows from it: days, levels, adopted features, milestones."""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, String, Table, Text
from sqlalchemy.types import NullType

from skene_dagster.store.tables.database import Moment, metadata

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
