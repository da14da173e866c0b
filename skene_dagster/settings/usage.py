"""The parts of skene.yaml about what users do: events, features, levels of engagement, milestones."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from skene_dagster.documents import Spec, shown
from skene_dagster.durations import Duration
from skene_dagster.settings.addresses import Link
from skene_dagster.settings.moments import MomentColumn, Moments
from skene_dagster.settings.names import Identifier, TableName


def _a_date(value: object) -> object:
    # Our YAML reads 2026-03-01 as a string, others as a date.
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError(f"{shown(value)} is not a date. Write it as 2026-03-01")


def _an_address(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError(f"{shown(text)} is not an email address")
    return text


Date = Annotated[date, BeforeValidator(_a_date)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Level = Literal["new", "active", "power", "slipping", "dormant", "resurrected"]
Address = Annotated[str, AfterValidator(_an_address)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=48)]


class EventUser(Spec):
    """The column of the events table that names the user, and what of the user it holds."""

    column: Identifier
    """The column's name."""
    is_: Identifier | None = Field(alias="is", default=None)
    """The column of the users table that has the same value, which is unique; leave it out for the users key."""

    def __repr__(self) -> str:
        # What is rolled up is counted again when this changes: a name alone is what it was before there was `is`.
        return repr(self.column) if self.is_ is None else f"{self.column!r} is {self.is_!r}"


def _named(value: object) -> object:
    return value if isinstance(value, dict | EventUser) else {"column": value}


NamedUser = Annotated[EventUser, BeforeValidator(_named, json_schema_input_type=Identifier | EventUser)]


class Events(Spec):
    """The product's own table of usage events, one row per event. Read where it is; nothing is copied."""

    table: TableName
    """The table with one row per event, optionally `schema.table`."""
    key: Identifier = "id"
    """The column that identifies an event: unique, and never changed."""
    user: NamedUser = EventUser(column="user_id")
    """The column that names the user: by the users key, as number or text, or with `is` by another unique column."""
    name: Identifier = "name"
    """The column with the event's name."""
    at: Moments = MomentColumn(column="created_at")
    """The column with the time when it happened (UTC)."""
    arrived: Moments | None = None
    """The column with the time when the row was written (UTC), if there is one; it should be indexed."""
    late: Duration = timedelta(days=3)
    """How long after it happened an event may still be written; only where there is no `arrived`."""


OWN_EVENTS = Events(
    table="skene_events",
    key="event_id",
    user=EventUser(column="user_id"),
    name="name",
    at=MomentColumn(column="occurred_at"),
    arrived=MomentColumn(column="received_at"),
)
"""Our own events, written by `skene_dagster.track` and `POST /v1/track`: read if skene.yaml has no `events`."""


class Example(Spec):
    """A way to use a feature, for the emails about it."""

    title: Name
    """What it is, in a few words."""
    text: str = ""
    """What to do."""
    code: str = ""
    """What to type."""
    link: Link = ""
    """Where to read on."""


class Feature(Spec):
    """A part of the product that people discover, try and adopt."""

    title: Name
    """Its name, as users know it."""
    events: list[Name] = Field(default_factory=list)
    """The names of the events that count as a use of it."""
    sql: str = ""
    """Or: SQL over the columns of the events table, true for the events that count as a use of it."""
    summary: str = ""
    """What it is for, in a sentence."""
    examples: list[Example] = Field(default_factory=list)
    """First steps, for users who never tried it."""
    use_cases: list[Example] = Field(default_factory=list)
    """What others do with it."""
    guide: list[Example] = Field(default_factory=list)
    """What comes after the first steps, for users who have adopted it."""
    link: Link = ""
    """Where to find it, or its documentation."""
    adopted_uses: int = Field(default=3, ge=1)
    """Uses needed to count as adopted."""
    adopted_days: int = Field(default=2, ge=1)
    """Days on which those uses must fall."""
    lapsed_after: Duration = timedelta(days=30)
    """How long a user who adopted it may go without a use before they have lapsed."""

    @model_validator(mode="after")
    def _says_what_a_use_is(self) -> "Feature":
        if bool(self.events) == bool(self.sql.strip()):
            raise ValueError("A feature needs either 'events' or 'sql', to say what counts as a use of it")
        # Days are what is kept: a pause within one would not be seen.
        if self.lapsed_after < timedelta(days=1):
            raise ValueError("'lapsed_after' must be at least a day")
        return self


class TidbUsage(Spec):
    """Who uses which feature of TiDB itself, as the server's statement summary tells it. docs/tidb-usage.md."""

    db_users: dict[str, Address] = Field(default_factory=dict)
    """The person behind a database user, by their address in the users table: `analyst: ada@example.com`."""
    resource_groups: dict[str, Address] = Field(default_factory=dict)
    """The person behind a resource group. A statement that ran in one of these counts as theirs, whatever its user."""
    slow_log: bool = False
    """Also ask the slow log who else ran a statement. Exact, but for slow statements only, and expensive to read."""

    @model_validator(mode="after")
    def _names_somebody(self) -> "TidbUsage":
        if not self.db_users and not self.resource_groups:
            raise ValueError(
                "'tidb_usage' names nobody. Say whose users they are: `db_users: {analyst: ada@example.com}`"
            )
        return self


class Levels(Spec):
    """Where one level of engagement ends and the next begins. docs/engagement.md shows how they follow each other."""

    new: Duration = timedelta(days=14)
    """How long a user counts as new after their first activity."""
    window: Duration = timedelta(days=28)
    """The number of days considered for `power`."""
    power: int = Field(default=12, ge=1)
    """Active days in the window that make a user a power user."""
    slipping: Duration = timedelta(days=14)
    """How long a user must be inactive to be slipping."""
    dormant: Duration = timedelta(days=30)
    """How long a user must be inactive to be dormant."""
    resurrected: Duration = timedelta(days=14)
    """How long a user counts as resurrected after coming back from dormancy."""

    @model_validator(mode="after")
    def _follow_each_other(self) -> "Levels":
        # Days are what is kept: a pause within one would not be seen.
        if self.slipping < timedelta(days=1):
            raise ValueError("'slipping' must be at least a day")
        if self.slipping >= self.dormant:
            raise ValueError("'slipping' must be shorter than 'dormant', because dormant users were slipping before")
        if self.window % timedelta(days=1):
            raise ValueError("'window' must be a whole number of days")
        if self.power > self.window.days:
            raise ValueError(f"'power' asks for {self.power} days of a window that has {self.window.days}")
        return self


class Milestone(Spec):
    """Something that a user reaches once: exactly one of `event`, `feature`, `streak` and `anniversary`."""

    title: Name
    """What was reached, as emails put it."""
    event: Name | None = None
    """The `count`-th event of this name."""
    feature: Name | None = None
    """The `count`-th use of this feature."""
    count: int = Field(default=1, ge=1)
    """The number of events or uses."""
    streak: int | None = Field(default=None, ge=2)
    """The number of days in a row with activity."""
    anniversary: Duration | None = None
    """Time since sign-up (`users.created_at`)."""
    since: Date | None = None
    """Milestones reached before this day are not celebrated. Default: the day of the first rollup."""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> "Milestone":
        given = [name for name in ("event", "feature", "streak", "anniversary") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("A milestone needs exactly one of event, feature, streak and anniversary")
        if self.count != 1 and given[0] not in {"event", "feature"}:
            raise ValueError(f"'count' goes with event or feature, not with {given[0]}")
        return self
