"""The users whom a step blocks: the members of its segment, or all who belong to the accounts that are."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Select, select

from skene_dagster.goals.arms import ALL_LOOPS, Comparison, comparison_of, is_in
from skene_dagster.loops.plan import LoopPlan, StepPlan, segment_name
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.difference import Segment, inside
from skene_dagster.settings import Settings
from skene_dagster.store.engine import users_table
from skene_dagster.store.tables import account_arms, arms


@dataclass(frozen=True)
class Members:
    """The users whom a step blocks, as a part of statements."""

    rows: FromClause
    is_inside: ColumnElement[bool]
    user: ColumnElement[Any]
    unit: ColumnElement[Any]
    """For what the loop's coin is tossed: the user, or their account."""
    drawn: Column[Any]
    """The column of those for which it was."""

    @staticmethod
    def of(plan: LoopPlan, step: StepPlan, settings: Settings) -> "Members":
        """Describe the users of a step; of one about accounts, all who belong to one that is inside."""
        about = subject(step)
        is_inside = inside(Segment(segment_name(plan.name, step.ledger_name), about.members))
        key = about.members.c.user_id
        if not step.per_account:
            return Members(about.members, is_inside, key, key, arms.c.user_id)
        users, account = settings.users, accounts_of(settings).user_column
        table = users_table(users, account)
        rows = about.members.join(table, table.c[account] == key)
        return Members(rows, is_inside, table.c[users.key], key, account_arms.c.account_id)

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """Select some columns of those who are inside."""
        return select(*columns).select_from(self.rows).where(self.is_inside)

    def not_held_out(
        self, connection: Connection, plan: LoopPlan, mode: str, share_of_all: float
    ) -> list[ColumnElement[bool]]:
        """Say that a user is held out of nothing."""
        found = []
        if plan.holdout:
            found.append(~is_in(comparison_of(connection, mode, plan.name), self.unit, "held_out", of=self.drawn))
        if share_of_all:
            found.append(~is_in(comparison_of(connection, mode, ALL_LOOPS), self.user, "held_out"))
        return found

    def is_new(self, comparison: Comparison, of_all: Comparison | None) -> ColumnElement[bool]:
        """Say that a user, or their account, is in no arm yet.

        Args:
            of_all: the comparison of all loops; None: nobody is held out of all.
        """
        unknown = ~is_in(comparison, self.unit, of=self.drawn)
        if of_all is None:
            return unknown
        # Who is held out of all loops is in no loop's arm, and never will be.
        is_ours = unknown & ~is_in(of_all, self.user, "held_out")
        # Whoever comes to an account later is still to be drawn for all loops.
        return is_ours if self.user is self.unit else is_ours | ~is_in(of_all, self.user)
