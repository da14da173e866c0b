"""What starts a step of a plan."""

from dataclasses import dataclass
from datetime import timedelta

from skene_dagster.settings import Events, MomentColumn


@dataclass(frozen=True)
class Schedule:
    """By the clock."""

    cron: str
    timezone: str


@dataclass(frozen=True)
class Calls:
    """When the product is called at an endpoint, which it tracks as events named `POST /api/features/export`."""

    endpoint: str
    method: str

    @property
    def pattern(self) -> str:
        """The events' names, `*` standing for anything."""
        return f"{self.method} {self.endpoint}"


@dataclass(frozen=True)
class Materialized:
    """When Dagster has materialized one of these assets, or each of them."""

    assets: tuple[str, ...]
    """Their keys, as `dbt/orders`."""
    each: bool


@dataclass(frozen=True)
class Manual:
    """When a person starts it."""


@dataclass(frozen=True)
class Rows:
    """Once for each new or changed row of a table."""

    table: str
    key: str
    """The column that names the row: `$1`."""
    user: str
    """The column with the users key, or with the accounts key."""
    at: MomentColumn
    """The column with the moment: when the row was written, or changed (UTC)."""
    changes: bool
    """A row triggers again whenever it changed."""
    name: tuple[str, str] | None
    """A column and its value: only the events of one name."""
    of_accounts: bool = False
    is_: str | None = None
    """The column of the users table that has the same value as `user`; None: the key."""

    @staticmethod
    def of_events(events: Events, name: str) -> "Rows":
        """Return the events of a name."""
        at, user = events.arrived or events.at, events.user
        return Rows(events.table, events.key, user.column, at, changes=False, name=(events.name, name), is_=user.is_)


@dataclass(frozen=True)
class After:
    """Once for each email of an earlier step, some time later."""

    step: str
    wait: timedelta


Trigger = Schedule | Calls | Materialized | Manual | Rows | After
