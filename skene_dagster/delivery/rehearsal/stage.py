"""What is rehearsed, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType

from sqlalchemy import Engine, inspect

from skene_dagster.behaviour.rollup.counted import Counted, counted_activity, counted_whole
from skene_dagster.delivery.decide.arbiter.today import DaysBudget, budgets
from skene_dagster.delivery.decide.eligibility import Decision
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.ledger import send_id
from skene_dagster.delivery.model import GateName, Past
from skene_dagster.delivery.modes import Mode
from skene_dagster.goals.arms import arms_of
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.loops.variants import in_variant
from skene_dagster.settings import Settings
from skene_dagster.store.failures import translated
from skene_dagster.store.tables import account_arms, account_decisions, arms, preferences, warm_ups

_NONE: Mapping[str, object] = MappingProxyType({})


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
    others: Sequence[LoopPlan] = ()
    """The loops of the project, with which it shares the emails of a day."""
    locale: str | None = None
    """In whose language its emails are shown; None: in that of their recipients."""

    @cached_property
    def audience(self) -> SendAudience:
        """Whom a run would decide about."""
        has_consent = inspect(self.engine).has_table(preferences.name)
        has_accounts = inspect(self.engine).has_table(account_decisions.name)
        has_arms = inspect(self.engine).has_table((account_arms if self.step.per_account else arms).name)
        made = SendAudience(self.plan, self.step, self.settings, self.mode, self.as_of)
        return replace(made, has_consent=has_consent, has_accounts=has_accounts, has_arms=has_arms)

    @property
    def email(self) -> Email:
        """What the step sends."""
        return self.audience.email


def known(stage: Stage) -> Counted | None:
    """Say up to when what the condition asks about users is counted; None where it asks nothing of the kind.

    Raises:
        NotCounted: it is not, so nobody can say whom it selects.
        StoreError: the database refused.
    """
    with translated(), stage.engine.connect() as connection:
        if stage.step.recipient == "most_recently_active":
            return counted_activity(connection, stage.settings)
        return counted_whole(connection, stage.step.condition, stage.settings)


def budgets_of(stage: Stage) -> list[DaysBudget]:
    """List the budgets of the day that its emails count for; none where nothing is planned yet.

    Raises:
        StoreError: the database refused.
    """
    with translated(), stage.engine.connect() as connection:
        if not inspect(connection).has_table(warm_ups.name):
            return []
        found = budgets(connection, stage.settings, stage.mode.name, stage.as_of)
    domain = stage.settings.domain_of(stage.email.topic, stage.email.sender)
    return [one for one in found if one.domain in {None, domain}]


def render(
    stage: Stage,
    templates: Templates,
    user_id: object,
    person: Person,
    row: Mapping[str, object],
    account: Mapping[str, object] = _NONE,
) -> Message:
    """Make the email of one user, as a run would make their first; a link to our own pages unsubscribes nobody.

    Raises:
        MissingValue: it needs a value that the user does not have.
        Unrenderable: their values give no email that can be sent.
    """
    return templates.render(
        in_variant(stage.email, _variant(stage, user_id, account)),
        user=_user(stage, person),
        row=row,
        account=account,
        letterhead=Letterhead.of(stage.settings, stage.email),
        send_id=send_id(stage.audience.scope, user_id, 1),
        to=person.address or "",
        loop=stage.plan.name,
        step=stage.step.name,
    )


def language(
    stage: Stage, templates: Templates, user_id: object, person: Person, account: Mapping[str, object] = _NONE
) -> tuple[str, str]:
    """Say in which language `render` makes an email, as a tag (empty: as for all others), and by which template."""
    return templates.language(in_variant(stage.email, _variant(stage, user_id, account)), _user(stage, person))


def _user(stage: Stage, person: Person) -> Mapping[str, object]:
    column = stage.email.locale
    return person.columns if column is None or stage.locale is None else {**person.columns, column: stage.locale}


def _variant(stage: Stage, user_id: object, account: Mapping[str, object]) -> str | None:
    """Say which variant a user gets, or their account; the first, while the coin, or the account, is not there yet."""
    variants, key, of = stage.email.variants, user_id, arms.c.user_id
    if stage.step.per_account:
        key, of = account.get(accounts_of(stage.settings).key), account_arms.c.account_id
    if not variants or not stage.audience.has_arms or key is None:
        return variants[0][0] if variants else None
    with translated(), stage.engine.connect() as connection:
        known = arms_of(connection, stage.mode.name, stage.plan.name, 0.0, [key], variants=variants, of=of)
    return known.variant_of(key)
