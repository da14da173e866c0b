"""The parts of skene.yaml about the users, the sender, and when to stop."""

from datetime import date, time, timedelta
from typing import Literal

from pydantic import Field, model_validator

from skene_dagster.documents import Spec
from skene_dagster.durations import Duration
from skene_dagster.settings.addresses import PublicUrl, SenderText, UnsubscribeUrl
from skene_dagster.settings.clock_time import ClockTime
from skene_dagster.settings.moments import Moments
from skene_dagster.settings.names import Identifier, TableName
from skene_dagster.settings.providers import DEFAULT_PROVIDER, ProviderName
from skene_dagster.settings.shares import Multiple, Share
from skene_dagster.settings.usage import Date

NO_LIMIT = 10**9
"""Emails a day that nobody sends: a warm-up that has grown so far limits nothing."""

_A_DAY = timedelta(days=1)
_ROUNDING = 1e-6


class Users(Spec):
    """Where the product keeps its users. Read, never written (but for the columns that an action's `set` names)."""

    table: TableName = "users"
    """The table with one row per user, optionally `schema.table`."""
    key: Identifier = "id"
    """Its primary key: one column, of an integer, string or binary type."""
    email: Identifier = "email"
    """The column with the address."""
    name: Identifier | None = None
    """The column with the name used to address a person."""
    timezone: Identifier | None = None
    """The column with an IANA time zone."""
    locale: Identifier | None = None
    """The column with a language tag, such as `pt-BR`."""
    created_at: Moments | None = None
    """The column with the time of sign-up (UTC)."""
    updated_at: Moments | None = None
    """The column with the time of the row's last change (UTC); an action's `set` leaves it unchanged."""
    plan: Identifier | None = None
    """The column with the user's plan, for conditions of type `usage`."""
    mailable: str = "1 = 1"
    """SQL, true for users who may be mailed at all: not staff, not deleted, not unverified."""


class Accounts(Spec):
    """Where the product keeps its accounts: workspaces, teams, organizations. Read, never written (but for the columns
    that an action's `set` names).
    """

    table: TableName = "accounts"
    """The table with one row per account, optionally `schema.table`."""
    key: Identifier = "id"
    """Its primary key: one column, of an integer, string or binary type."""
    user_column: Identifier = "account_id"
    """The column of the users table with the key of the user's account; of the very type of that key."""
    owner: str = ""
    """SQL over the accounts table, the users key of the account's owner: `owner_id`; for `recipient: owner`."""
    updated_at: Moments | None = None
    """The column with the time of the row's last change (UTC); an action's `set` leaves it unchanged."""
    plan: Identifier | None = None
    """The column with the account's plan, for conditions of type `usage`."""


Keyed = Users | Accounts
"""A table of the product whose rows a segment can consist of."""


class WarmUp(Spec):
    """The budget of a domain that receivers are to get to know: it grows each day."""

    from_: Date = Field(alias="from")
    """Its first day (UTC)."""
    first_day: int = Field(ge=1)
    """Emails of the first day."""
    factor: float = Field(default=1.6, gt=1, le=10, allow_inf_nan=False)
    """How much larger the budget of each further day is."""

    def emails(self, day: date) -> int | None:
        """Return the budget of a day, which before the first one is the first one's; None: it limits nothing."""
        budget = float(self.first_day)
        for _ in range(max((day - self.from_) // _A_DAY, 0)):
            budget *= self.factor
            if budget > NO_LIMIT:
                return None
        # 100 · 1.1 · 1.1 is 121, and a little more or less.
        return int(budget + _ROUNDING)


class Sender(Spec):
    """Who the emails come from."""

    from_: SenderText = Field(alias="from", default="")
    """The From address, optionally with a name: `Skene <hello@example.com>`."""
    provider: ProviderName = DEFAULT_PROVIDER
    """Who delivers the emails of actions that do not say."""
    reply_to: SenderText | None = None
    """The address for replies."""
    postal_address: str = ""
    """The sender's postal address, printed in every marketing email (CAN-SPAM)."""
    unsubscribe_url: UnsubscribeUrl = ""
    """The one-click unsubscribe address; `{{user.<column>}}` names the recipient."""
    public_url: PublicUrl = ""
    """Where the unsubscribe pages are reached from outside: `https://mail.example.com`."""
    rate_share: float = Field(default=0.8, gt=0, le=1)
    """The share of the provider's rate limit that the loops may use."""
    warm_up: WarmUp | None = None
    """How much email leaves on a day while the domain of `from` is new: `{from: 2026-12-01, first_day: 150}`."""


class Cap(Spec):
    """So many marketing emails in a time, for each recipient, from all loops together."""

    count: int = Field(ge=1)
    """How many."""
    within: Duration
    """In which time."""


class QuietHours(Spec):
    """From one time of day to another, which is that of the next day if it is not later."""

    from_: ClockTime = Field(alias="from")
    """When they begin, such as `22:00`."""
    to: ClockTime
    """When they end, such as `08:00`."""

    @model_validator(mode="after")
    def _has_an_end(self) -> "QuietHours":
        if self.from_ == self.to:
            raise ValueError("They begin and end at the same time. Quiet hours cannot be the whole day")
        return self

    def holds(self, at: time) -> bool:
        """Whether a time of day is in them."""
        if self.from_ < self.to:
            return self.from_ <= at < self.to
        return at >= self.from_ or at < self.to


class Limits(Spec):
    """When to stop and ask."""

    collapse: float = Field(default=0.5, gt=0, le=1)
    """A segment that loses more than this share of its members in one refresh stops the step until `accept`."""
    explosion: float = Field(default=3.0, gt=0)
    """A segment that gains more than this multiple of its members in one refresh stops the step until `accept`."""
    least_change: int = Field(default=500, ge=0)
    """Changes of fewer users than this never stop a step; nor does `volume` a tick of fewer emails."""
    first_wave: int = Field(default=1000, ge=0)
    """A loop's first wave in production larger than this waits for `skene-dagster approve`."""
    volume: Multiple | None = None
    """A tick that would mail more than this multiple of the step's largest tick in the last 28 days mails nobody until
    `accept`: `3x`. Default: no limit."""
    unmailable: Share | None = None
    """If more than this share of the users who enter have no address that can be mailed (it is missing, invalid or
    suppressed), nobody is mailed: `20%`. Fewer than 20 such users never stop a step. Default: no limit."""
    slices: Literal["on", "off"] = "on"
    """Whether a large wave of a loop that has mailed few leaves in parts: 500 emails, then twice as many each time."""
    expires_after: Duration = timedelta(days=3)
    """A send that waited longer than this is skipped as too late."""
    quiet_hours: QuietHours | None = None
    """When no marketing email leaves, by the clock of its recipient: `{from: "22:00", to: "08:00"}`."""
    caps: list[Cap] = Field(default_factory=list)
    """The most marketing emails that a recipient gets from all loops together. Default: no limit."""
    daily: int | None = Field(default=None, ge=1)
    """The most emails that all loops together plan for a day (UTC). Default: no limit."""
