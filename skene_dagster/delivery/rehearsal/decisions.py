"""What a tick would decide about rows of its condition."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, inspect, select

from skene_dagster.behaviour.activity import last_active_of
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts.rehearsing import decided_accounts
from skene_dagster.delivery.decide.addressees import comparing_of
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter, days_of
from skene_dagster.delivery.decide.eligibility import Defer, Facts, Mail, decide
from skene_dagster.delivery.decide.gates.rehearsing import Tally, is_whole
from skene_dagster.delivery.decide.send_audience import PAGE
from skene_dagster.delivery.ledger.decisions.deferring import UNMADE
from skene_dagster.delivery.model import Waiting
from skene_dagster.delivery.rehearsal.stage import Case, Stage
from skene_dagster.loops.planning.accounts import selected_from
from skene_dagster.product import attributes
from skene_dagster.segments import clearance, conditions, members
from skene_dagster.store.keys import key_of
from skene_dagster.store.tables import batches, controls, deferred, steps, warm_ups


class Decisions:
    """Where rows of the condition are decided: what does not change from page to page is read once."""

    def __init__(self, stage: Stage, connection: Connection, *, gathers: bool) -> None:
        self._stage = stage
        self._connection = connection
        self.key = key_of(connection, selected_from(stage.step, stage.settings))
        # Of the tables that are read here it is the one that is made last.
        self._known = inspect(connection).has_table(controls.name)
        cleared = clearance.of(connection, stage.audience.segment) if self._known else None
        self.tally = Tally(stage.audience, connection)
        self._rules = self.tally.rules(cleared.first_as_of if cleared else stage.as_of)
        self._arbiter = arbiter_of(stage, connection)
        self.room = self._arbiter.room_at_most(days_of(stage.email, in_slices=False))
        """How many may be mailed at most; None: any number."""
        self._is_gathering = gathers
        self._arbiter.gather(is_gathering=gathers)
        self._put_off: list[_PutOff] = []
        self._has_waiting = is_whole(connection, deferred)

    def decide(self, rows: Sequence[Sequence[Any]]) -> list[Case]:
        """Decide about the rows of a page; those of nobody are left out."""
        email = self._stage.email
        found = {self.key.same_type(row[0]): row for row in rows}
        keys = [key for key in found if key is not None]
        if not keys:
            return []
        if self._stage.step.per_account:
            return self._about_accounts(found)
        audience, as_of = self._stage.audience, self._stage.as_of
        people = audience.people(self._connection, keys, as_of, email.user_columns)
        inside = members.entered(self._connection, audience.segment, keys) if self._known else {}
        pasts = ledger.history(self._connection, audience.scope, keys) if self._known else {}
        waiting = ledger.waiting_users(self._connection, audience.scope, keys) if self._has_waiting else {}
        addressees = audience.addressees(self._connection, people, as_of, arbiter=self._arbiter)
        addressees.comparing = comparing_of(audience, self._connection, people)
        cases, is_first = [], self._is_gathering
        for key in keys:
            person, since, past = people.get(key), inside.get(key), pasts.get(key)
            if person is not None:
                entered_at = since or as_of
                asked = Facts(entered_at, addressees.of(person, waiting.get(key)), past, waiting.get(key))
                decision = decide(asked, self._rules, as_of)
                addressees.count(person, decision)
                row = attributes.read(found[key][1], email.row_columns) if email.row_columns else {}
                case = Case(key, person, since, past, decision, row)
                cases.append(case)
                if is_first:
                    is_mailed = isinstance(decision, Mail) or self.puts_off(case)
                    self.tally.count(person, since, emails=int(is_mailed), waits=key in waiting)
        self._remember([case for case in cases if self.puts_off(case)], found, waiting)
        return cases

    def _about_accounts(self, found: Mapping[object, Sequence[Any]]) -> list[Case]:
        email, audience = self._stage.email, self._stage.audience
        # Whoever of them is mailed is decided with the account: they do not take turns.
        self._arbiter.gather(is_gathering=False)
        cases = []
        for one in decided_accounts(audience, self._connection, list(found), self._rules, self._arbiter):
            emails = one.emails + (getattr(one.decision, "reason", None) == "budget")
            self.tally.count(one.person, one.inside_since, emails=emails, waits=one.waits)
            row = attributes.read(found[one.account_id][1], email.row_columns) if email.row_columns else {}
            about = one.account_id, one.account
            cases.append(Case(one.user_id, one.person, one.inside_since, one.past, one.decision, row, *about))
        return cases

    def _remember(
        self, cases: Sequence[Case], rows: Mapping[object, Sequence[Any]], waiting: Mapping[object, Waiting]
    ) -> None:
        keys = [case.user_id for case in cases]
        active = last_active_of(self._connection, keys) if self._known and keys else {}
        for case in cases:
            known = waiting.get(case.user_id)
            entered_at, is_unmade = case.inside_since or self._stage.as_of, known is not None and known.reason in UNMADE
            row, last_active = rows[case.user_id], active.get(case.user_id)
            self._put_off.append(_PutOff(case, row, last_active, entered_at, is_unmade))

    def puts_off(self, case: Case) -> bool:
        """Whether somebody has to take their turn, for a day has not room for all."""
        is_in_turn = self._is_gathering and not self._stage.step.per_account
        return is_in_turn and isinstance(case.decision, Defer) and case.decision.reason == "budget"

    def in_turn(self) -> Iterator[list[Case]]:
        """Decide about those who were put off, the most recently active first, for as long as there is room."""
        self._is_gathering = False
        self._arbiter.gather(is_gathering=False)
        waiting = sorted(self._put_off, key=_turn)
        in_line, unmade = ([one for one in waiting if one.is_unmade == last] for last in (False, True))
        for start in range(0, len(in_line), PAGE):
            cases = self.decide([one.row for one in in_line[start : start + PAGE]])
            yield cases
            if not any(isinstance(case.decision, Mail) for case in cases):
                yield [one.case for one in in_line[start + PAGE :]]
                break
        for one in unmade:
            yield self.decide([one.row])


@dataclass(frozen=True)
class _PutOff:
    """Somebody who takes their turn: what is known about them."""

    case: Case
    row: Sequence[Any]
    last_active: datetime | None
    entered_at: datetime
    is_unmade: bool
    """Their email could not be made before: they come last."""


def _turn(one: _PutOff) -> tuple[bool, float, datetime]:
    active = one.last_active
    return active is None, 0.0 if active is None else -(active - datetime(1970, 1, 1)).total_seconds(), one.entered_at


def arbiter_of(stage: Stage, connection: Connection) -> Arbiter:
    """Read what the step of a stage shares with others; an older release has fewer tables and columns that say it."""
    has_plans = all(is_whole(connection, table) for table in (batches, controls, deferred, steps, warm_ups))
    return stage.audience.arbiter(connection, stage.others, stage.as_of, has_plans=has_plans)


def answer(connection: Connection, stage: Stage) -> Select[Any]:
    """Select the condition's keys, and what the email names of its columns in the form in which members keep it."""
    condition = conditions.answer(connection, stage.plan, stage.step, stage.settings, stage.as_of).rows
    names = stage.email.row_columns
    return select(condition.c[0], *([attributes.kept(connection, condition, names)] if names else []))
