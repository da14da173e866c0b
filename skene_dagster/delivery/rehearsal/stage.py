"""What is rehearsed, and what would become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from sqlalchemy import Engine, inspect

from skene_dagster.delivery.decide.eligibility import Decision
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.model import GateName, Past
from skene_dagster.delivery.modes import Mode
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.settings import Settings
from skene_dagster.store.tables import account_decisions, preferences


@dataclass(frozen=True)
class Case:
    """What would become of one user whom the condition returns."""

    user_id: object
    person: Person
    inside_since: datetime | None
    """None for who enters at this tick."""
    past: Past | None
    decision: Decision
    row: Mapping[str, object]
    """The condition's columns that the email names."""
    account_id: object | None = None
    """The account that it is about; the user is who of it would be mailed, if anybody."""
    account: Mapping[str, object] = field(default_factory=dict)
    """Its columns that the email names."""


@dataclass(frozen=True)
class Rehearsal:
    """What would become of everybody whom the condition returns."""

    entering: int
    staying: int
    unknown_keys: int
    """Rows whose key is NULL or no user's."""
    counts: dict[str, int]
    """How many by outcome, as `Reserved.counts`."""
    sample: tuple[Case, ...]
    """Some of those who would be mailed."""
    held: Mapping[GateName, str] = field(default_factory=dict)
    """What each gate says that would hold a run, so that it mails nobody."""


@dataclass(frozen=True)
class Stage:
    """What is rehearsed."""

    engine: Engine
    plan: LoopPlan
    step: StepPlan
    settings: Settings
    mode: Mode
    as_of: datetime

    @cached_property
    def audience(self) -> SendAudience:
        """Whom a run would decide about."""
        has_consent = inspect(self.engine).has_table(preferences.name)
        has_accounts = inspect(self.engine).has_table(account_decisions.name)
        made = SendAudience(self.plan, self.step, self.settings, self.mode, self.as_of)
        return replace(made, has_consent=has_consent, has_accounts=has_accounts)

    @property
    def email(self) -> Email:
        """What the step sends."""
        return self.audience.email
