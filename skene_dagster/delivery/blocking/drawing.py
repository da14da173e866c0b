"""Draw the arms of those whom a step would block: of users, or of accounts with all who belong to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select

from skene_dagster.delivery.blocking.members import Members
from skene_dagster.delivery.decide.accounts.recipients import columns
from skene_dagster.delivery.modes import Mode
from skene_dagster.goals import account_arms, arms
from skene_dagster.goals.account_arms import EnrolledAccount
from skene_dagster.goals.arms import Enrolled
from skene_dagster.goals.comparing import Comparing, HeldOutOf
from skene_dagster.goals.comparing_accounts import ComparingAccounts
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.loops.variants import variants_of
from skene_dagster.segments import clearance
from skene_dagster.settings import Settings
from skene_dagster.store.key_ranges import Parts, Span

CHUNK = 50_000
"""Members per transaction."""

CHUNK_OF_ACCOUNTS = 5_000
"""Users, where they are drawn with their accounts; all of one at once."""


def draw(engine: Engine, plan: LoopPlan, step: StepPlan, settings: Settings, mode: Mode, as_of: datetime) -> None:
    """Draw the arms of those members who are in none.

    Raises:
        NoClearance: the segment was not refreshed at this as_of.
        StoreError: the database refused.
    """
    members = Members.of(plan, step, settings)
    of_members = _draw_accounts if step.per_account else _draw_users

    def write(connection: Connection, span: Span) -> int:
        clearance.require(connection, segment_name(plan.name, step.ledger_name), as_of, "nobody is blocked")
        comparison = arms.comparison_of(connection, mode.name, plan.name)
        of_all = arms.comparison_of(connection, mode.name, arms.ALL_LOOPS) if settings.holdout else None
        some = members.select(members.user, members.unit)
        new = some.where(span.of(members.unit), members.is_new(comparison, of_all))
        who = members.select(members.user).where(span.of(members.unit))
        return of_members(connection, plan, settings, mode, new, who, as_of)

    size = CHUNK_OF_ACCOUNTS if step.per_account else CHUNK
    Parts(engine, write, [members.select(members.unit)], size).by_ranges()


def _draw_users(
    connection: Connection,
    plan: LoopPlan,
    settings: Settings,
    mode: Mode,
    new: Select[Any],
    who: Select[Any],
    as_of: datetime,
) -> int:
    keys: Sequence[object] = connection.execute(new).scalars().all()
    comparing = Comparing.read(
        connection,
        mode.name,
        plan.name,
        share=plan.holdout,
        share_of_all=settings.holdout,
        variants=variants_of(plan),
        keys=keys,
        in_order=False,
    )
    made = [one for key in keys for one in comparing.enrol(key, comparing.holds_out(key))]
    arms.enrol(connection, made, who, as_of=as_of)
    return len(made)


def _draw_accounts(
    connection: Connection,
    plan: LoopPlan,
    settings: Settings,
    mode: Mode,
    new: Select[Any],
    who: Select[Any],
    as_of: datetime,
) -> int:
    users: dict[object, list[object]] = {}
    for user, account in connection.execute(new):
        users.setdefault(account, []).append(user)
    key, there = accounts_of(settings).key, columns(connection, settings, list(users), [])
    comparing = ComparingAccounts.read(
        connection,
        mode.name,
        plan.name,
        share=plan.holdout,
        share_of_all=settings.holdout,
        variants=variants_of(plan),
        accounts={account: row[key] for account, row in there.items()},
        users=[user for some in users.values() for user in some],
    )
    accounts: list[EnrolledAccount] = []
    made: list[Enrolled] = []
    for account, some in users.items():
        decided: dict[object, HeldOutOf | None] = {user: comparing.holds_out(account, user) for user in some}
        enrolled, people = comparing.enrol(account, decided)
        made += people
        accounts += [enrolled] if enrolled is not None else []
    arms.enrol(connection, made, who, as_of=as_of)
    account_arms.enrol(connection, accounts, as_of=as_of)
    return len(made)
