"""A loop with every name, duration, SQL text, key and retry delay resolved; pure and frozen.

Equality ignores where things stood: the same loop in TypeScript, YAML and Python gives one and the same plan.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from skene_dagster.documents import Document
from skene_dagster.loops.field_types import Recipient
from skene_dagster.loops.sql_reads import MomentRead, Window
from skene_dagster.loops.times.hours import ANY_HOUR, Hours
from skene_dagster.loops.times.retry_delays import RecoveryPlan
from skene_dagster.loops.triggers import After, Rows, Schedule, Trigger
from skene_dagster.settings import Feature, Fresh, Milestone, ProviderName


@dataclass(frozen=True)
class Query:
    """A condition's SQL, ready for SQLAlchemy's `text()`.

    Its binds are `:as_of` (the tick, UTC and naive; bound as SQLAlchemy's DateTime) and `:as_of_date` (the tick's date
    in the trigger's zone; bound as Date).
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
    reads: tuple[str, ...]
    """The columns that the SQL names, of any table, in lower case, sorted."""
    columns: tuple[str, ...] | None
    """The result's columns; None for `SELECT *`, which only the database can answer."""
    key: str
    """The result's column that is the user's key."""
    own_key: bool
    """That column is the users table's own key, and never NULL."""
    by_row: bool
    """The author wrote `$1`: the texts read the rows that triggered, and return their key and moment, too."""
    by_key: bool
    """It may be asked about some users alone."""
    plain: bool
    """Each row of the result is one user's own row in the users table; it is by key, too."""
    binds: tuple[str, ...]
    """Those of them that the texts use, sorted."""
    windows: tuple[Window, ...] = ()
    """What it asks of the clock."""
    before_a_moment: tuple[str, ...] = ()
    """The columns that are to be before a moment, and of which it does not ask whether they are NULL."""
    moments: tuple[MomentRead, ...] = field(default=(), repr=False)
    """The columns that it reads as moments."""


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
    moments: tuple[MomentRead, ...] = field(default=(), repr=False)
    """The columns that it reads as moments; those of the row itself are of the table `ROW`."""
    is_moment: bool = False
    """Its author wrote a moment, or NULL; the texts are true if it is a moment."""


@dataclass(frozen=True)
class AtLevel:
    """Who is at an engagement level, and has been there for so long."""

    level: Literal["new", "active", "power", "slipping", "dormant", "resurrected"]
    for_: timedelta | None


@dataclass(frozen=True)
class InState:
    """Who is in a state of adopting a feature, and has been there for so long."""

    feature: str
    state: Literal["untried", "tried", "adopted", "lapsed"]
    for_: timedelta | None


@dataclass(frozen=True)
class Reached:
    """Who has reached a milestone since it is celebrated."""

    milestone: str


@dataclass(frozen=True)
class UsedUp:
    """Who has used as much as their plan allows in the days of the period, today included."""

    limit: tuple[tuple[str, float], ...]
    """Uses by plan, without those plans that have no limit, in the author's order."""
    period: timedelta
    pattern: str | None
    """Which events count, `*` standing for anything; None for all of them."""


Condition = Query | AtLevel | InState | Reached | UsedUp


@dataclass(frozen=True)
class LinkTags:
    """What links to the product say about where a visitor comes from."""

    hosts: tuple[str, ...]
    """The product's own, in ASCII; what is below them is, too."""
    parameters: tuple[tuple[str, str], ...]
    """Such as ("utm_source", "skene")."""
    content: str | None = None
    """What its author wrote as `utm_content`; None: the step's name and the variant's."""

    def of(self, name: str) -> "LinkTags":
        """Return those of a step, or of a variant of its email, as far as their author wants it."""
        others = tuple(one for one in self.parameters if one[0] != "utm_content")
        return replace(self, parameters=(*others, ("utm_content", self.content or name)))


@dataclass(frozen=True)
class Email:
    """What to send, how often, and what to write when the provider accepted."""

    provider: ProviderName
    template: str
    personalization: tuple[tuple[str, str], ...]
    """Name and expression text, such as ("name", "{{user.name}}"), in the author's order."""
    user_columns: tuple[str, ...]
    """Columns of the users table that the expressions read, or the link to unsubscribe needs, sorted."""
    row_columns: tuple[str, ...]
    """Columns of the condition that the expressions read, sorted; kept with the member."""
    repeat: Literal["once", "every_entry"] | timedelta
    set: tuple[tuple[str, str | int | float | bool | None], ...]
    topic: str | None
    """What it is about, by its name in skene.yaml; None for mail that its recipient asked for: nobody says no to it."""
    hours: Hours = ANY_HOUR
    """When it may leave, by its recipient's clock."""
    account_columns: tuple[str, ...] = ()
    variants: tuple[tuple[str, float], ...] = ()
    """Versions of the template, and the share of each; see `loops.variants`."""
    about: tuple[tuple[str, Feature | Milestone], ...] = ()
    """What the template can show of skene.yaml: the `feature` or the `milestone` that the condition names."""
    sender: str | None = None
    """Who it comes from, by their name in `senders` of skene.yaml; None: whom its topic names, or `sender`."""
    utm: LinkTags | None = None
    """What its links say; None: nothing."""
    locale: str | None = None
    """The column of the users table with the language that they get it in; None: all get the same."""

    @property
    def transactional(self) -> bool:
        """Whether its recipient asked for it."""
        return self.topic is None


@dataclass(frozen=True)
class Block:
    """Write an entitlement that the product reads, and send a prompt."""

    message: str
    prompt: Email | None


@dataclass(frozen=True)
class StepPlan:
    name: str
    renamed_from: str | None
    """What it was called first."""
    trigger: Trigger
    condition: Condition
    timeout: timedelta
    """How long the query may run; where rows trigger the step, how long it waits for the condition to hold."""
    action: Email | Block
    recipient: Recipient | None = None
    """Who of an account is mailed; None: the segment consists of users, not of accounts."""

    @property
    def ledger_name(self) -> str:
        """What the step is called in the database: a renamed step goes on under its first name."""
        return self.renamed_from or self.name

    @property
    def email(self) -> Email | None:
        """What the step sends, if it sends anything."""
        return self.action if isinstance(self.action, Email) else self.action.prompt

    @property
    def per_account(self) -> bool:
        """Whether its segment consists of accounts."""
        return self.recipient is not None

    @property
    def sets_what_it_reads(self) -> bool:
        """Whether the action's `set` writes a column that the condition reads, so that it makes members leave."""
        read = self.condition.reads if isinstance(self.condition, Query) else ()
        return self.email is not None and any(column.casefold() in read for column, _ in self.email.set)

    @property
    def by_row(self) -> bool:
        """Whether it is about single rows, each of which is mailed about once, and not about who is inside."""
        return isinstance(self.trigger, Rows | After)


@dataclass(frozen=True)
class GoalPlan:
    kind: Literal["returns", "event", "feature", "level", "query"]
    value: str
    """The name of the event, the feature or the level, or the SQL; empty for `returns`."""
    within: timedelta
    key: str
    """By which the database knows it; another one if the goal says something else."""
    query: Query | None = None


@dataclass(frozen=True)
class LoopPlan:
    name: str
    type: str
    opinion: str
    steps: tuple[StepPlan, ...]
    goals: tuple[GoalPlan, ...]
    """What should come of it; the first decides whether it works."""
    holdout: float
    """A share of the members, 0 to 1."""
    priority: int
    start: Literal["everyone", "new_only"]
    recovery: RecoveryPlan
    on_doubt: Literal["skip", "resend"]
    """What becomes of a batch of which the provider cannot tell whether it has it."""
    document: Document = field(compare=False, repr=False)
    fresh: tuple[Fresh, ...] | None = None
    """The tables that must have changed lately; None: those of skene.yaml."""

    def zone_of(self, step: StepPlan) -> ZoneInfo:
        """Say in which time zone a step's days are counted: its schedule's, else UTC."""
        trigger = self.root_of(step).trigger
        return ZoneInfo(trigger.timezone if isinstance(trigger, Schedule) else "UTC")

    def root_of(self, step: StepPlan) -> StepPlan:
        """Find the step that a step follows, over any number of `after`; itself, if it follows none."""
        while isinstance(step.trigger, After):
            step = self.step(step.trigger.step)
        return step

    def step(self, name: str) -> StepPlan:
        """Find a step by its name; there is one."""
        return next(one for one in self.steps if one.name == name)


def segment_name(loop: str, step: str) -> str:
    """Name the segment of a step, as it stands in the database: `retention.main`."""
    return f"{loop}.{step}"
