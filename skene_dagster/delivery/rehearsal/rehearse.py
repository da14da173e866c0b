"""A tick, rehearsed: about everybody whom its condition returns, or about one user."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from sqlalchemy import Connection, inspect, literal, select

from skene_dagster.behaviour.rollup.counted import counted_whole
from skene_dagster.delivery.decide.accounts import recipients
from skene_dagster.delivery.decide.accounts.rehearsing import NOBODY, decided_candidates
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter, days_of
from skene_dagster.delivery.decide.candidates import Candidate, count
from skene_dagster.delivery.decide.eligibility import Decision, Mail, Rules
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.gates.rehearsing import Tally as GateTally
from skene_dagster.delivery.decide.send_audience import PAGE
from skene_dagster.delivery.model import GateName
from skene_dagster.delivery.rehearsal.decisions import Decisions, answer, arbiter_of
from skene_dagster.delivery.rehearsal.stage import Case, Rehearsal, Stage, known
from skene_dagster.errors import NotCounted
from skene_dagster.loops.planning.accounts import accounts_of
from skene_dagster.product import attributes
from skene_dagster.segments import conditions
from skene_dagster.segments.conditions import subject
from skene_dagster.segments.triggers import finding
from skene_dagster.store.failures import translated
from skene_dagster.store.keys import users_key
from skene_dagster.store.tables import sends


def rehearse(
    stage: Stage,
    size: int,
    progress: Callable[[int], None] = lambda _: None,
    mailed: Callable[[object], None] = lambda _: None,
) -> Rehearsal:
    """Decide about everybody whom the condition returns, and keep `size` of those who would be mailed.

    Args:
        progress: is told how many rows of each page were decided.
        mailed: is told the key of each user who would be mailed.

    Raises:
        NotCounted: what users do is not counted, which the condition asks for.
        QueryRejected: the condition returns a user twice.
        StoreError: the database refused.
    """
    known(stage)
    if stage.step.by_row:
        return _rehearse_rows(stage, size, progress, mailed)
    unknown, tally = 0, _Tally(size, mailed)
    with translated(), stage.engine.connect() as reading, stage.engine.connect() as asking:
        decisions = Decisions(stage, asking, gathers=True)
        last: object = None
        for page in _pages(reading, stage):
            for row in page:
                if row[0] is not None and row[0] == last:
                    raise conditions.returned_twice(stage.plan, stage.step, last)
                last = row[0]
            cases = decisions.decide(page)
            unknown += len(page) - len(cases)
            tally.add([case for case in cases if not decisions.puts_off(case)])
            progress(len(page))
        for cases in decisions.in_turn():
            tally.add(cases)
        held = decisions.tally.shut(stage.as_of, decisions.room)
    return Rehearsal(tally.entering, tally.staying, unknown, tally.counts, tuple(tally.sample), held)


@dataclass
class _Tally:
    """What becomes of how many, and some of those who would be mailed."""

    size: int
    mailed: Callable[[object], None]
    counts: Counter[str] = field(default_factory=Counter)
    entering: int = 0
    staying: int = 0
    sample: list[Case] = field(default_factory=list)
    _mailed: int = 0
    _draw: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - which of them are shown is no secret

    def add(self, cases: Sequence[Case]) -> None:
        """Count some more members."""
        self.count([case.decision for case in cases])
        for case in cases:
            self.staying += case.inside_since is not None
            self.entering += case.inside_since is None
            if isinstance(case.decision, Mail):
                self.keep(case)

    def count(self, decisions: Sequence[Decision]) -> None:
        """Count some more decisions by outcome."""
        self.counts.update(count(decisions))

    def keep(self, case: Case) -> None:
        """Keep one who would be mailed, or one before, or neither."""
        self._mailed += 1
        self.mailed(case.user_id)
        _keep_some(self.sample, case, self.size, self._mailed, self._draw)


def rehearse_user(stage: Stage, key: str) -> tuple[Person | None, Case | NotCounted | None]:
    """Find one user (None: there is none), and decide (None: the condition leaves them out; or why it has no answer).

    Args:
        key: the users key as it is written: a number, a text, or the hex digits of a binary key.

    Raises:
        StoreError: the database refused.
    """
    with translated(), stage.engine.connect() as connection:
        decisions = Decisions(stage, connection, gathers=False)
        user_id = decisions.key.read(key)
        if user_id is None:
            return None, None
        columns = stage.email.user_columns
        person = stage.audience.people(connection, [user_id], stage.as_of, columns).get(user_id)
        if person is None:
            return None, None
        try:
            counted_whole(connection, stage.step.condition, stage.settings)
        except NotCounted as unknown:
            return person, unknown
        if stage.step.by_row:
            return person, None
        query = answer(connection, stage)
        key_column = query.selected_columns[0]
        rows = connection.execute(query.where(key_column == literal(user_id, key_column.type))).all()
        return person, next((case for case in decisions.decide(rows) if case.user_id == user_id), None)


def held_before(stage: Stage) -> dict[GateName, str]:
    """Name the gates that would hold a run, and what they say, as far as that is known before anybody is decided.

    Raises:
        StoreError: the database refused.
    """
    with translated(), stage.engine.connect() as connection:
        return GateTally(stage.audience, connection).shut_when_last_measured(stage.as_of)


def rehearse_recipient(stage: Stage, key: str) -> tuple[Person | None, Mapping[str, object], Mapping[str, object]]:
    """Find one user, and what an email about their account shows of it: of the condition's row, and its own columns.

    Args:
        key: the users key as it is written.

    Returns:
        The user, None if there is none. The columns are empty where they have no account; those of the condition,
        where it does not select that.

    Raises:
        StoreError: the database refused.
    """
    settings, email = stage.settings, stage.email
    column = accounts_of(settings).user_column
    with translated(), stage.engine.connect() as connection:
        user_id = users_key(connection, settings.users).read(key)
        keys = [] if user_id is None else [user_id]
        found = stage.audience.people(connection, keys, stage.as_of, [*email.user_columns, column])
        person = next(iter(found.values()), None)
        account = None if person is None else person.columns[column]
        if account is None:
            return person, {}, {}
        columns = recipients.columns(connection, settings, [account], email.account_columns)
        query = answer(connection, stage)
        row = connection.execute(query.where(query.selected_columns[0] == account)).first()
        names = email.row_columns
        return person, attributes.read(row[1], names) if row and names else {}, columns.get(account, {})


def _rehearse_rows(
    stage: Stage, size: int, progress: Callable[[int], None], mailed: Callable[[object], None]
) -> Rehearsal:
    """Decide about every row that a refresh would find; before the first one, it would find none."""
    audience, tally, seen = stage.audience, _Tally(size, mailed), 0
    with translated(), stage.engine.connect() as reading, stage.engine.connect() as asking:
        if not all(inspect(asking).has_table(table.name) for table in (sends, subject(stage.step).triggered)):
            return Rehearsal(0, 0, 0, {}, ())
        rules, gates = audience.rules(asking, stage.as_of, stage.as_of), GateTally(audience, asking)
        arbiter = arbiter_of(stage, asking)
        room = arbiter.room_at_most(days_of(stage.email, in_slices=False))
        to_come = finding.to_come(reading, stage.plan, stage.step, stage.settings, stage.mode.name, stage.as_of)
        rows = reading.execute(select(to_come).order_by(to_come.c.user_id), execution_options={"stream_results": True})
        decide = _rows_of_accounts if stage.step.per_account else _rows_of_users
        for some in rows.partitions(PAGE):
            kept = {(row.user_id, row.occurrence): row.attributes for row in some}
            page = [Candidate(row.user_id, stage.as_of, row.occurrence) for row in some]
            for case, occurrence, emails in decide(stage, asking, page, rules, arbiter):
                tally.count([case.decision])
                if stage.step.per_account or case.person is not NOBODY:
                    # Who waits for room is one of those who want an email.
                    wanted = emails + (getattr(case.decision, "reason", None) == "budget")
                    gates.count(case.person, None, emails=wanted, waits=False)
                if isinstance(case.decision, Mail):
                    about = case.user_id if case.account_id is None else case.account_id
                    names = stage.email.row_columns
                    tally.keep(replace(case, row=attributes.read(kept[about, occurrence], names)))
            seen += len(page)
            progress(len(page))
        held = gates.shut(stage.as_of, room)
    return Rehearsal(seen, 0, 0, tally.counts, tuple(tally.sample), held)


def _rows_of_users(
    stage: Stage, connection: Connection, page: Sequence[Candidate], rules: Rules, arbiter: Arbiter
) -> Iterator[tuple[Case, str | None, int]]:
    """Decide about rows that triggered: what becomes of each, its occurrence, and how many emails it makes."""
    audience, as_of = stage.audience, stage.as_of
    people = audience.people(connection, [one.user_id for one in page], as_of, stage.email.user_columns)
    for one in audience.decide(connection, page, rules, as_of, arbiter=arbiter):
        user = one.candidate.user_id
        case = Case(user, people.get(user, NOBODY), None, one.past, one.decision, {})
        yield case, one.candidate.occurrence, one.emails


def _rows_of_accounts(
    stage: Stage, connection: Connection, page: Sequence[Candidate], rules: Rules, arbiter: Arbiter
) -> Iterator[tuple[Case, str | None, int]]:
    for one in decided_candidates(stage.audience, connection, page, rules, arbiter):
        case = Case(one.user_id, one.person, None, one.past, one.decision, {}, one.account_id, one.account)
        yield case, one.occurrence, one.emails


def _pages(connection: Connection, stage: Stage) -> Iterator[Sequence[Sequence[Any]]]:
    query = answer(connection, stage)
    ordered = query.order_by(query.selected_columns[0])
    # SQLAlchemy, 2026-11: without a size, partitions() gives one partition of all rows.
    return connection.execute(ordered, execution_options={"stream_results": True}).partitions(PAGE)


def _keep_some(sample: list[Case], case: Case, size: int, seen: int, draw: Random) -> None:
    """Keep `size` cases of all that are seen, each as likely as the other, in the order of their keys."""
    if len(sample) < size:
        sample.append(case)
    elif (place := draw.randrange(seen)) < size:
        del sample[place]
        sample.append(case)
