"""Rehearse: what a tick would decide and send, found without writing anything.

The decisions come from the same pure function, and the facts from the same queries, as those of `reserve`. Where the
skene_* tables are not there yet, everybody enters for the first time.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Select, inspect, literal, select

from skene_dagster.behaviour.rollup.counted import Counted, counted_activity, counted_whole
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts import recipients
from skene_dagster.delivery.decide.accounts.rehearsing import decided_accounts
from skene_dagster.delivery.decide.candidates import Candidate
from skene_dagster.delivery.decide.eligibility import Facts, Mail, decide
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.gates.rehearsing import Tally
from skene_dagster.delivery.decide.reserve import count
from skene_dagster.delivery.decide.send_audience import PAGE
from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.ledger import send_id
from skene_dagster.delivery.rehearsal.stage import Case, Rehearsal, Stage
from skene_dagster.errors import NotCounted
from skene_dagster.product import attributes
from skene_dagster.segments import clearance, conditions, members, trigger_rows
from skene_dagster.segments.conditions import accounts_of, selected_from
from skene_dagster.store.failures import translated
from skene_dagster.store.keys import key_of, users_key
from skene_dagster.store.tables import controls, sends

__all__ = ["Case", "Rehearsal", "Stage", "known", "rehearse", "rehearse_recipient", "rehearse_user", "render"]

_NONE: Mapping[str, object] = MappingProxyType({})


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


def rehearse(stage: Stage, size: int, progress: Callable[[int], None] = lambda _: None) -> Rehearsal:
    """Decide about everybody whom the condition returns, and keep `size` of those who would be mailed.

    Args:
        progress: is told how many rows of each page were decided.

    Raises:
        NotCounted: what users do is not counted, which the condition asks for.
        QueryRejected: the condition returns a user twice.
        StoreError: the database refused.
    """
    known(stage)
    if stage.step.by_row:
        return _rehearse_rows(stage, size, progress)
    counts: Counter[str] = Counter()
    entering = staying = unknown = mailed = 0
    sample: list[Case] = []
    draw = Random(0)  # noqa: S311 - which of them are shown is no secret
    with translated(), stage.engine.connect() as reading, stage.engine.connect() as asking:
        decisions = _Decisions(stage, asking)
        last: object = None
        for page in _pages(reading, stage):
            for row in page:
                if row[0] is not None and row[0] == last:
                    raise conditions.returned_twice(stage.plan, stage.step, last)
                last = row[0]
            cases = decisions.decide(page)
            unknown += len(page) - len(cases)
            counts.update(count(case.decision for case in cases))
            for case in cases:
                staying += case.inside_since is not None
                entering += case.inside_since is None
                if isinstance(case.decision, Mail):
                    mailed += 1
                    _keep_some(sample, case, size, mailed, draw)
            progress(len(page))
        held = decisions.tally.shut(stage.as_of)
    return Rehearsal(entering, staying, unknown, counts, tuple(sample), held)


def rehearse_user(stage: Stage, key: str) -> tuple[Person | None, Case | NotCounted | None]:
    """Find one user (None: there is none), and decide (None: the condition leaves them out; or why it has no answer).

    Args:
        key: the users key as it is written: a number, a text, or the hex digits of a binary key.

    Raises:
        StoreError: the database refused.
    """
    with translated(), stage.engine.connect() as connection:
        decisions = _Decisions(stage, connection)
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
        query = _answer(connection, stage)
        key_column = query.selected_columns[0]
        rows = connection.execute(query.where(key_column == literal(user_id, key_column.type))).all()
        return person, next((case for case in decisions.decide(rows) if case.user_id == user_id), None)


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
        query = _answer(connection, stage)
        row = connection.execute(query.where(query.selected_columns[0] == account)).first()
        names = email.row_columns
        return person, attributes.read(row[1], names) if row and names else {}, columns.get(account, {})


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
        stage.email,
        user=person.columns,
        row=row,
        account=account,
        letterhead=Letterhead.of(stage.settings, stage.email.topic),
        send_id=send_id(stage.audience.scope, user_id, 1),
        to=person.address or "",
        loop=stage.plan.name,
        step=stage.step.name,
    )


class _Decisions:
    """Where rows of the condition are decided: what does not change from page to page is read once."""

    def __init__(self, stage: Stage, connection: Connection) -> None:
        self._stage = stage
        self._connection = connection
        self.key = key_of(connection, selected_from(stage.step, stage.settings))
        # Of the tables that are read here it is the one that is made last.
        self._known = inspect(connection).has_table(controls.name)
        cleared = clearance.of(connection, stage.audience.segment) if self._known else None
        first_as_of = cleared.first_as_of if cleared else stage.as_of
        self.tally = Tally(stage.audience, connection)
        self._rules = self.tally.rules(first_as_of)

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
        waiting = ledger.waiting_users(self._connection, audience.scope, keys) if self._known else {}
        addressees = audience.addressees(self._connection, people, as_of)
        cases = []
        for key in keys:
            person, since, past = people.get(key), inside.get(key), pasts.get(key)
            if person is not None:
                entered_at = since or as_of
                asked = Facts(entered_at, addressees.of(person), past, waiting.get(key))
                decision = decide(asked, self._rules, as_of)
                addressees.count(person, decision)
                self.tally.count(person, since, decision, waits=key in waiting)
                row = attributes.read(found[key][1], email.row_columns) if email.row_columns else {}
                cases.append(Case(key, person, since, past, decision, row))
        return cases

    def _about_accounts(self, found: Mapping[object, Sequence[Any]]) -> list[Case]:
        email, keys = self._stage.email, list(found)
        decided = decided_accounts(self._stage.audience, self._connection, keys, self._rules)
        for one in decided:
            self.tally.count(one.person, one.inside_since, one.decision, waits=one.waits)
        return [
            Case(
                one.user_id,
                one.person,
                one.inside_since,
                one.past,
                one.decision,
                attributes.read(found[one.account_id][1], email.row_columns) if email.row_columns else {},
                one.account_id,
                one.account,
            )
            for one in decided
        ]


def _rehearse_rows(stage: Stage, size: int, progress: Callable[[int], None]) -> Rehearsal:
    """Decide about every row that a refresh would find; before the first one, it would find none."""
    counts: Counter[str] = Counter()
    sample: list[Case] = []
    draw = Random(0)  # noqa: S311 - which of them are shown is no secret
    audience = stage.audience
    seen = mailed = 0
    with translated(), stage.engine.connect() as reading, stage.engine.connect() as asking:
        if not inspect(asking).has_table(sends.name):
            return Rehearsal(0, 0, 0, {}, ())
        rules, tally = audience.rules(asking, stage.as_of, stage.as_of), Tally(audience, asking)
        to_come = trigger_rows.to_come(reading, stage.plan, stage.step, stage.settings, stage.mode.name, stage.as_of)
        rows = reading.execute(select(to_come).order_by(to_come.c.user_id), execution_options={"stream_results": True})
        for some in rows.partitions(PAGE):
            page = [Candidate(row.user_id, stage.as_of, row.occurrence) for row in some]
            keys, columns = [row.user_id for row in some], stage.email.user_columns
            people = audience.people(asking, keys, stage.as_of, columns)
            for row, decided in zip(some, audience.decide(asking, page, rules, stage.as_of), strict=True):
                counts.update(count([decided.decision]))
                if row.user_id in people:
                    tally.count(people[row.user_id], None, decided.decision, waits=False)
                if isinstance(decided.decision, Mail):
                    mailed += 1
                    kept = attributes.read(row.attributes, stage.email.row_columns)
                    case = Case(row.user_id, people[row.user_id], None, decided.past, decided.decision, kept)
                    _keep_some(sample, case, size, mailed, draw)
            seen += len(page)
            progress(len(page))
        held = tally.shut(stage.as_of)
    return Rehearsal(seen, 0, 0, counts, tuple(sample), held)


def _answer(connection: Connection, stage: Stage) -> Select[Any]:
    """Select the condition's keys, and what the email names of its columns in the form in which members keep it."""
    condition = conditions.answer(connection, stage.plan, stage.step, stage.settings, stage.as_of).rows
    names = stage.email.row_columns
    return select(condition.c[0], *([attributes.kept(connection, condition, names)] if names else []))


def _pages(connection: Connection, stage: Stage) -> Iterator[Sequence[Sequence[Any]]]:
    query = _answer(connection, stage)
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
