"""A loop with every name, duration, SQL text, key and retry delay resolved. Pure and frozen.

`validate` stops here, `preview` reads it without writing, and Dagster's graph is built from it. Equality ignores
where in which file things stood: the same loop in TypeScript, YAML and Python gives one and the same plan.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from skene_dagster.documents import Document


@dataclass(frozen=True)
class Query:
    """A condition's SQL, ready for SQLAlchemy's `text()`.

    Its binds are `:as_of` (the tick, UTC and naive; bound as SQLAlchemy's DateTime), `:as_of_date` (the tick's date in
    the trigger's zone; bound as Date) and `:trigger_key` (`$1`: the key of the row that triggered).
    """

    author: str
    """The SQL as it was written."""
    mysql: str
    """What a TiDB, MySQL or MariaDB server gets."""
    sqlite: str | None
    """What the embedded database gets; None where it cannot say it."""
    needs_tidb: str
    """Why there is no `sqlite`, by the name of the construct; else empty."""
    tables: tuple[str, ...]
    """The source tables, sorted; for lineage."""
    columns: tuple[str, ...] | None
    """The result's columns; None for `SELECT *`, which only the database can answer."""
    key: str
    """The result's column that is the user's key."""
    binds: tuple[str, ...]
    """Those of them that the texts use, sorted."""


@dataclass(frozen=True)
class Expression:
    """SQL over the columns of one table's row, ready for SQLAlchemy's `text()`; it has no binds."""

    author: str
    """The SQL as it was written."""
    mysql: str
    """What a TiDB, MySQL or MariaDB server gets."""
    sqlite: str | None
    """What the embedded database gets; None where it cannot say it."""
    needs_tidb: str
    """Why there is no `sqlite`, by the name of the construct; else empty."""


@dataclass(frozen=True)
class Schedule:
    cron: str
    timezone: str


@dataclass(frozen=True)
class LaterTrigger:
    """A trigger that loads and is planned, but cannot run yet."""

    kind: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LaterCondition:
    """A condition that loads and is planned, but cannot run yet."""

    kind: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Email:
    """What to send, how often, and what to write when the provider accepted."""

    template: str
    personalization: tuple[tuple[str, str], ...]
    """Name and expression text, such as ("name", "{{user.name}}"), in the author's order."""
    user_columns: tuple[str, ...]
    """Columns of the users table that the expressions read, those of the unsubscribe address included, sorted."""
    row_columns: tuple[str, ...]
    """Columns of the condition that the expressions read, sorted; kept with the member."""
    repeat: Literal["once", "every_entry"] | timedelta
    set: tuple[tuple[str, str | int | float | bool | None], ...]
    transactional: bool


@dataclass(frozen=True)
class LaterAction:
    """An action that loads and is planned, but cannot run yet."""

    kind: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StepPlan:
    name: str
    renamed_from: str | None
    trigger: Schedule | LaterTrigger
    condition: Query | LaterCondition
    timeout: timedelta
    action: Email | LaterAction


@dataclass(frozen=True)
class GoalPlan:
    kind: Literal["returns", "event", "feature", "query"]
    value: str
    """The event's or feature's name, or the SQL; empty for `returns`."""
    within: timedelta


@dataclass(frozen=True)
class RecoveryPlan:
    retries: int
    backoff: Literal["none", "linear", "exponential"]
    delay: timedelta


@dataclass(frozen=True)
class LoopPlan:
    name: str
    type: str
    opinion: str
    steps: tuple[StepPlan, ...]
    goal: GoalPlan | None
    holdout: float
    """A share of the members, 0 to 1."""
    priority: int
    start: Literal["everyone", "new_only"]
    recovery: RecoveryPlan
    on_doubt: Literal["skip", "resend"]
    """What becomes of a batch of which the provider cannot tell whether it has it."""
    not_yet: tuple[str, ...]
    """What is known but cannot run yet, by name, one sentence each."""
    document: Document = field(compare=False, repr=False)

    @property
    def runs(self) -> bool:
        """Whether every step can run today."""
        return all(
            isinstance(step.trigger, Schedule) and isinstance(step.condition, Query) and isinstance(step.action, Email)
            for step in self.steps
        )


def segment_name(loop: str, step: str) -> str:
    """Name the segment of a step, as it stands in the database: `retention.main`."""
    return f"{loop}.{step}"
