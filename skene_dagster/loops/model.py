"""What an author writes: the loop format, as pydantic models. Nothing is resolved here; `planning` does that.

The field names are those of the page's `defineLoop`; camelCase and snake_case are both read. Keys that are the
author's own (`personalization`, `set`, `limit`) are never renamed.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from skene_dagster.documents import Spec
from skene_dagster.durations import Duration
from skene_dagster.loops.field_types import AssetNames, ColumnValue, Recipient, Repeat, Text
from skene_dagster.settings import ClockTime, Fresh, Goals, Identifier, Moments, ProviderName, Share, TableName
from skene_dagster.settings.usage import Key
from skene_dagster.settings.utm import LoopUtm


class ScheduleTrigger(Spec):
    """The step runs by the clock."""

    type: Literal["schedule"]
    cron: Text
    """When, as a five-field cron expression: `0 9 * * *` is each day at nine."""
    timezone: Text = "UTC"
    """The IANA time zone of the cron expression."""


class DatabaseTrigger(Spec):
    """The step runs for each new or changed row of a table."""

    type: Literal["database"]
    table: TableName
    """The table whose rows trigger the step; `$1` in the condition is the row's key."""
    event: Literal["insert", "update"]
    """Which rows: new ones, or changed ones."""
    key: Identifier | None = None
    """The column that identifies a row; unique. Default: the users key for the users table, otherwise `id`."""
    user: Identifier | None = None
    """The column with the users key. Default: the users key for the users table, otherwise `user_id`."""
    account: Identifier | None = None
    """The column with the accounts key, in a loop that is `per: account`. Default: the accounts key for the accounts
    table, otherwise none: the row's account is that of its user."""
    at: Moments | None = None
    """The time (UTC) when the row was written (`created_at`) or changed (`updated_at`); it should be indexed."""


class EventTrigger(Spec):
    """The step runs for each usage event with a given name."""

    type: Literal["event"]
    name: Text
    """The event's name, as the product tracks it."""


class AfterTrigger(Spec):
    """The step runs for the users that another step mailed, some time later."""

    type: Literal["after"]
    step: Text
    """The name of an earlier step of this loop."""
    wait: Duration
    """How long after that step's email."""


class ApiTrigger(Spec):
    """The step runs for usage events that the product tracks at an endpoint."""

    type: Literal["api"]
    endpoint: Text
    """The endpoint's path; `*` matches anything."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The request's method."""


class AssetTrigger(Spec):
    """The step runs when Dagster has materialized an asset: a dbt model, a table that a job loads."""

    type: Literal["asset"]
    asset: AssetNames
    """The asset's key as Dagster shows it, `dbt/orders`, or a list of keys."""
    wait_for_fresh: bool = False
    """Of a list: whether each must have been materialized since the step last ran, and not only one of them."""


class ManualTrigger(Spec):
    """The step runs when a person starts it."""

    type: Literal["manual"]


Trigger = Annotated[
    ScheduleTrigger | DatabaseTrigger | EventTrigger | AfterTrigger | ApiTrigger | AssetTrigger | ManualTrigger,
    Field(discriminator="type"),
]


class QueryCondition(Spec):
    """The users are the rows of one SELECT."""

    type: Literal["query"]
    query: Text
    """One read-only SELECT, in MySQL's dialect; PostgreSQL's `INTERVAL '7 days'` is accepted as well."""
    timeout: Duration = timedelta(minutes=10)
    """How long it may run in the database; `database`, `event` and `after` triggers wait that long for it to hold."""


class LevelCondition(Spec):
    """The users at an engagement level."""

    type: Literal["level"]
    is_: Annotated[Literal["new", "active", "power", "slipping", "dormant", "resurrected"], Field(alias="is")]
    """The level."""
    for_: Annotated[Duration | None, Field(alias="for")] = None
    """How long they have been there, at least."""
    timeout: Duration = timedelta(minutes=10)
    """How long it may run in the database; `database`, `event` and `after` triggers wait that long for it to hold."""


class FeatureCondition(Spec):
    """The users in one state of adopting a feature."""

    type: Literal["feature"]
    name: Text
    """The feature's name, as skene.yaml has it."""
    state: Literal["untried", "tried", "adopted", "lapsed"]
    """How far they are with it."""
    for_: Annotated[Duration | None, Field(alias="for")] = None
    """How long they have been there, at least."""
    timeout: Duration = timedelta(minutes=10)
    """How long it may run in the database; `database`, `event` and `after` triggers wait that long for it to hold."""


class MilestoneCondition(Spec):
    """The users who reached a milestone."""

    type: Literal["milestone"]
    name: Text
    """The milestone's name, as skene.yaml has it."""
    timeout: Duration = timedelta(minutes=10)
    """How long it may run in the database; `database`, `event` and `after` triggers wait that long for it to hold."""


class UsageCondition(Spec):
    """The users who used up their plan's limit."""

    type: Literal["usage"]
    limit: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)]
    """Uses per period, by plan; `Infinity` (in YAML `.inf`) for no limit."""
    period: Duration
    """The period that the uses are counted in: whole days (UTC), today included."""
    timeout: Duration = timedelta(minutes=10)
    """How long it may run in the database; `database`, `event` and `after` triggers wait that long for it to hold."""


Condition = Annotated[
    QueryCondition | LevelCondition | FeatureCondition | MilestoneCondition | UsageCondition,
    Field(discriminator="type"),
]


class EmailAction(Spec):
    """Send an email, once per member and occurrence."""

    type: Literal["email"]
    provider: ProviderName | None = None
    """Who delivers it; `sender.provider` of skene.yaml where it is left out."""
    sender: Key | None = None
    """Who it comes from, by their name in `senders` of skene.yaml. Default: the sender of its topic."""
    template: Text
    """The file name, without extension, of `templates/<template>.mjml` and `.txt`."""
    variants: Annotated[dict[str, Annotated[int, Field(gt=0, le=1000)]], Field(max_length=10)] = Field(
        default_factory=dict
    )
    """Versions of the email to be compared, and how many of a whole get each: `{a: 50, b: 50}`. Each has files of its
    own, `templates/<template>.<variant>.mjml` and `.txt`."""
    personalization: dict[str, str] = Field(default_factory=dict)
    """What the template may use: names, each with a text that may contain expressions such as `{{user.name}}`."""
    repeat: Repeat = timedelta(days=30)
    """When a user who entered again may be mailed again: `once`, `every_entry` or after a duration. Where rows trigger
    the step, the default is `every_entry`: once for each row."""
    send_at: ClockTime | None = None
    """The time of day at which it leaves, by the clock of its recipient: `09:00`. Default: at once."""
    set: dict[str, ColumnValue] = Field(default_factory=dict)
    """Columns of the users table, or of the accounts table in a loop that is `per: account`, written once the provider
    has accepted the email."""
    transactional: bool = False
    """True for mail that the recipient asked for; everything else has a topic and an unsubscribe link."""


class BlockAction(Spec):
    """Write an entitlement that the product reads, and send a prompt."""

    type: Literal["block"]
    message: Text
    """What the product shows to a user who is blocked."""
    upgrade_prompt: EmailAction | None = None
    """The email that goes with it."""


Action = Annotated[EmailAction | BlockAction, Field(discriminator="type")]


class Step(Spec):
    """Who, when, what."""

    name: Text | None = None
    """Optional in a loop with one step, which is then called `main`."""
    renamed_from: Text | None = None
    """The step's first name, under which the database goes on: its segment, its decisions, its orders."""
    trigger: Trigger
    """When the step runs."""
    condition: Condition
    """Who is in the segment."""
    action: Action
    """What happens to those who enter it."""


class Recovery(Spec):
    """What to do when a run fails for a reason that may pass."""

    retries: Annotated[int, Field(ge=0, le=20)] = 3
    """How many times to try again."""
    backoff: Literal["none", "linear", "exponential"] = "exponential"
    """How the delay grows from one try to the next."""
    delay: Duration = timedelta(seconds=30)
    """How long to wait before the first retry."""


class Loop(Spec):
    """A growth loop, as its author wrote it."""

    name: Text | None = None
    """The loop's name. Default: its type. The ledger's key contains it, so keep it."""
    type: Literal["retention", "activation", "adoption", "milestone", "freemium"]
    """What kind of loop this is."""
    opinion: str = ""
    """Why this loop exists, in a sentence; Dagster shows it."""
    per: Literal["user", "account"] = "user"
    """Whether its segments consist of users, or of the accounts that `accounts` of skene.yaml describes."""
    recipient: Recipient | None = None
    """Who of an account is mailed, where the loop is `per: account`."""
    topic: Text | None = None
    """What its marketing emails are about, by its name in `topics` of skene.yaml. Default: `product`."""
    utm: LoopUtm | None = None
    """What the links in its emails say to web analytics, as far as it is not what `utm` of skene.yaml says."""
    steps: Annotated[list[Step], Field(min_length=1)]
    """Who, when, what: at least one."""
    goal: Goals | None = None
    """What should come of it: one goal or a list, of which the first decides whether the loop works."""
    holdout: Share = 0.0
    """The share of members who get no email, to measure against: `10%` or `0.1`."""
    priority: int = 0
    """Who takes a recipient's last place under a cap, and more of a day's budget: the loop with the larger number."""
    start: Literal["everyone", "new_only"] = "everyone"
    """Whether users who are in the segment at the first refresh are mailed."""
    fresh: list[Fresh] | None = None
    """The tables that must have changed lately, or nobody is mailed; each has a `table`, a `column` and a time,
    `within`. Default: those of skene.yaml."""
    recovery: Recovery = Recovery()
    """What to do when a run fails for a reason that may pass."""
    on_doubt: Literal["skip", "resend"] = "skip"
    """What to do with an email in doubt, which may or may not have been sent."""
