"""Which batches each question to the ledger is about: one batch after the other, each with one thing of its own."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from delivery_world import START as NOW
from delivery_world import World, make_world, users
from sqlalchemy import Connection, Engine, insert, select, update

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import StepScope, batches_of
from skene_dagster.store.tables import batches, sends

SCOPE = StepScope("outbox", "retention", "main")
BATCH = "b" * 32

AN_INSTANT = timedelta(microseconds=1)
A_MINUTE = timedelta(minutes=1)
LONG_BEFORE = NOW - timedelta(hours=3)
UNRESOLVED = {"unresolved_since": LONG_BEFORE, "first_attempt_at": LONG_BEFORE, "last_attempt_at": LONG_BEFORE}
FURTHEST = NOW + timedelta(hours=1, minutes=5)
"""A batch is put off for an hour at most, and two clocks differ by five minutes at most."""
LEFT = NOW - timedelta(minutes=2)
"""Who runs looks after its own batches for two minutes before another does."""

QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "due": lambda c: ledger.due(c, SCOPE, NOW),
    "open": lambda c: ledger.open_batches(c, SCOPE),
    "left behind": lambda c: ledger.left_behind(c, SCOPE.mode, NOW),
    "unresolved": lambda c: ledger.unresolved(c, SCOPE.mode),
    "waiting": lambda c: ledger.waiting(c, SCOPE, NOW),
    "in doubt": lambda c: [row for row in ledger.in_doubt(c, SCOPE.mode) if row.batch_id == BATCH],
    "emails in doubt": lambda c: ledger.emails_in_doubt(c, SCOPE),
    "a step with unsent": lambda c: _of_tests(ledger.steps_with_unsent_batches(c, SCOPE.mode)),
    "a step with open": lambda c: _of_tests(ledger.steps_with_open_batches(c, SCOPE.mode)),
    "the oldest open": lambda c: ledger.oldest_open(c, SCOPE),
    "ever reserved": lambda c: ledger.was_ever_reserved(c, SCOPE),
}


def _of_tests(steps: Iterable[Any]) -> list[Any]:
    return [(loop, step) for loop, step in steps if loop != "neighbour"]


@contextmanager
def a_batch(connection: Connection, **columns: object) -> Iterator[None]:
    """Have one batch of a step that was reserved a while ago, for as long as one asks about it."""
    row = {
        "batch_id": BATCH,
        "mode": SCOPE.mode,
        "loop": SCOPE.loop,
        "step": SCOPE.step,
        "state": "reserved",
        "size": 3,
        "attempts": 0,
        "as_of": LONG_BEFORE,
        "reserved_at": LONG_BEFORE,
        "due_at": LONG_BEFORE,
        **columns,
    }
    with connection.begin_nested() as undone:
        connection.execute(insert(batches).values(row))
        yield
        undone.rollback()


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


OF_THE_STEP = {"due", "open", "a step with unsent", "a step with open", "the oldest open", "ever reserved"}
ATTEMPTED = OF_THE_STEP - {"a step with unsent"} | {"left behind", "unresolved", "waiting"}
IN_DOUBT = {"left behind", "in doubt", "emails in doubt", "a step with open", "the oldest open", "ever reserved"}
PUT_OFF = {"state": "frozen", "last_attempt_at": LONG_BEFORE - A_MINUTE}

BATCHES: dict[str, tuple[dict[str, object], set[str]]] = {
    "reserved": ({}, OF_THE_STEP),
    "frozen": ({"state": "frozen"}, OF_THE_STEP),
    "accepted, and not yet written back": ({"state": "accepted"}, OF_THE_STEP - {"a step with unsent"}),
    "settled": ({"state": "settled"}, {"ever reserved"}),
    "cut up": ({"state": "split"}, {"ever reserved"}),
    "attempted without answer": ({"state": "frozen", **UNRESOLVED}, ATTEMPTED),
    "in doubt": ({"state": "in_doubt", **UNRESOLVED}, IN_DOUBT),
    "in doubt, by a row of old": ({"state": "in_doubt"}, IN_DOUBT),
    "settled, by a row of old that keeps since when": ({"state": "settled", **UNRESOLVED}, {"ever reserved"}),
    "with something said of it": ({"error": "no"}, OF_THE_STEP | {"waiting"}),
    "settled, with something said of it": ({"state": "settled", "error": "no"}, {"ever reserved"}),
    "cut out of another": ({"parent_id": "a" * 32}, OF_THE_STEP | {"left behind"}),
    "settled, cut out of another": ({"state": "settled", "parent_id": "a" * 32}, {"ever reserved"}),
    "put off after an attempt": (PUT_OFF, OF_THE_STEP | {"left behind"}),
    "tried again at once": ({**PUT_OFF, "last_attempt_at": LONG_BEFORE}, OF_THE_STEP),
    "accepted, put off": ({**PUT_OFF, "state": "accepted"}, OF_THE_STEP - {"a step with unsent"}),
    "of another step": ({"step": "other"}, {"a step with unsent", "a step with open"}),
    "of another loop": ({"loop": "other"}, {"a step with unsent", "a step with open"}),
    "of another mode": ({"mode": "redirect"}, set()),
    "of another step, in doubt": (
        {"step": "other", "state": "in_doubt", **UNRESOLVED},
        {"left behind", "in doubt", "a step with open"},
    ),
    "of another mode, in doubt": ({"mode": "redirect", "state": "in_doubt", **UNRESOLVED}, set()),
    "of another mode, attempted": ({"mode": "redirect", "state": "frozen", **UNRESOLVED}, set()),
    "of another step, attempted": (
        {"step": "other", "state": "frozen", **UNRESOLVED},
        {"left behind", "unresolved", "a step with open"},
    ),
    "of another step, with something said": (
        {"step": "other", "error": "no"},
        {"a step with unsent", "a step with open"},
    ),
    "due now": ({"due_at": NOW}, OF_THE_STEP),
    "due in an instant": ({"due_at": NOW + AN_INSTANT}, OF_THE_STEP - {"due"}),
    "put off for as long as can be": ({"due_at": FURTHEST}, OF_THE_STEP - {"due"}),
    "put off by a wrong clock": ({"due_at": FURTHEST + AN_INSTANT}, OF_THE_STEP),
    "without a moment when it is due": ({"due_at": None}, OF_THE_STEP),
    "just reserved, without such a moment": ({"due_at": None, "reserved_at": NOW + AN_INSTANT}, OF_THE_STEP - {"due"}),
    "attempted by a clock as wrong as can be": (
        {"state": "frozen", **UNRESOLVED, "due_at": NOW + A_MINUTE, "unresolved_since": NOW + 5 * A_MINUTE},
        ATTEMPTED - {"due", "left behind"},
    ),
    "attempted by a clock that was wrong": (
        {
            "state": "frozen",
            **UNRESOLVED,
            "due_at": NOW + A_MINUTE,
            "unresolved_since": NOW + 5 * A_MINUTE + AN_INSTANT,
        },
        ATTEMPTED,
    ),
    "attempted, its run had two minutes": ({"state": "frozen", **UNRESOLVED, "due_at": LEFT}, ATTEMPTED),
    "attempted, its run has them yet": (
        {"state": "frozen", **UNRESOLVED, "due_at": LEFT + AN_INSTANT},
        ATTEMPTED - {"left behind"},
    ),
    "attempted, and held": (
        {"state": "frozen", **UNRESOLVED, "owner": "another", "lease_until": NOW},
        ATTEMPTED - {"left behind", "waiting"},
    ),
    "attempted, its lease is over": (
        {"state": "frozen", **UNRESOLVED, "owner": "another", "lease_until": NOW - AN_INSTANT},
        ATTEMPTED,
    ),
    "attempted, its lease is as long as can be": (
        {"state": "frozen", **UNRESOLVED, "owner": "another", "lease_until": NOW + 2 * A_MINUTE},
        ATTEMPTED - {"left behind", "waiting"},
    ),
    "attempted, its lease was taken by a wrong clock": (
        {"state": "frozen", **UNRESOLVED, "owner": "another", "lease_until": NOW + 2 * A_MINUTE + AN_INSTANT},
        ATTEMPTED,
    ),
}


def test_each_question_is_about_its_own_batches(world: World) -> None:
    with world.engine.connect() as connection:
        found = {}
        for name, (columns, _) in BATCHES.items():
            with a_batch(connection, **columns):
                found[name] = {question for question, ask in QUESTIONS.items() if ask(connection)}

    assert found == {name: questions for name, (_, questions) in BATCHES.items()}


EARLIER, LATER = LONG_BEFORE - A_MINUTE, LONG_BEFORE + A_MINUTE


@pytest.fixture
def several(world: World) -> Iterator[Connection]:
    """A ledger of three batches of the step that were attempted; their names are not in the order of their times."""
    with world.engine.connect() as connection:
        for name, size, moment, error in (("a", 3, LATER, "y"), ("c", 2, EARLIER, "y"), ("b", 4, LATER, "x")):
            row = {
                "mode": SCOPE.mode,
                "loop": SCOPE.loop,
                "step": SCOPE.step,
                "attempts": 1,
                "error": error,
                "batch_id": name * 32,
                "size": size,
                "state": "frozen",
                **dict.fromkeys(("as_of", "reserved_at", "due_at", "unresolved_since", "first_attempt_at"), moment),
                "last_attempt_at": moment,
            }
            connection.execute(insert(batches).values(row))
        yield connection
        connection.rollback()


def test_batches_are_listed_in_the_order_in_which_they_are_due(several: Connection) -> None:
    assert [row.batch_id[0] for row in ledger.due(several, SCOPE, NOW)] == ["c", "a", "b"]
    assert [row.batch_id[0] for row in ledger.due(several, SCOPE, NOW, {"a" * 32})] == ["c", "b"]
    assert [row.batch_id[0] for row in ledger.left_behind(several, SCOPE.mode, NOW)] == ["c", "a", "b"]
    assert ledger.open_batches(several, SCOPE) == 3
    assert ledger.oldest_open(several, SCOPE) == EARLIER


def test_a_step_with_several_unsent_batches_is_named_once(several: Connection) -> None:
    several.execute(update(batches).where(batches_of(SCOPE)).values(unresolved_since=None))

    assert _of_tests(ledger.steps_with_unsent_batches(several, SCOPE.mode)) == [(SCOPE.loop, SCOPE.step)]


def test_what_waits_is_told_by_what_was_said_since_when_and_of_how_many(several: Connection) -> None:
    told = [
        (row.error, row.batches, row.emails, row.since, row.due_at, row.key_since)
        for row in ledger.waiting(several, SCOPE, NOW)
    ]

    assert told == [("y", 2, 5, EARLIER, EARLIER, EARLIER), ("x", 1, 4, LATER, LATER, LATER)]


def test_doubts_are_listed_from_the_oldest_on_and_their_emails_counted(several: Connection) -> None:
    several.execute(update(batches).where(batches_of(SCOPE)).values(state="in_doubt"))

    listed = [row for row in ledger.in_doubt(several, SCOPE.mode) if row.loop == SCOPE.loop]

    assert [row.batch_id[0] for row in listed] == ["c", "a", "b"]
    assert ledger.emails_in_doubt(several, SCOPE) == 9
    assert ledger.steps_with_open_batches(several, SCOPE.mode) == [("neighbour", "main"), (SCOPE.loop, SCOPE.step)]


@pytest.fixture
def sent(world: World) -> Iterator[Connection]:
    """A ledger of one batch, whose four sends are in other orders by their users and by their names."""
    rows = [
        # user, occurrence, state, reason, position, tick
        (1, "1", "accepted", None, 3, NOW),
        (2, "1", "reserved", None, 2, NOW),
        (3, "1", "reserved", None, 1, NOW),
        (4, "1", "in_doubt", "no_answer", 4, NOW),
        (5, "1", "deferred", "repeat", None, NOW),
        (6, "1", "skipped", "once", None, NOW - A_MINUTE),
    ]
    with world.engine.connect() as connection:
        for user, occurrence, state, reason, position, as_of in rows:
            row = {
                "mode": SCOPE.mode,
                "loop": SCOPE.loop,
                "step": SCOPE.step,
                "user_id": user,
                "occurrence": occurrence,
                "send_id": f"{user}" * 32,
                "state": state,
                "reason": reason,
                "as_of": as_of,
                "decided_at": as_of,
                "position": position,
                "batch_id": None if position is None else BATCH,
            }
            connection.execute(insert(sends).values(row))
        yield connection
        connection.rollback()


def test_sends_are_counted_by_what_became_of_them_and_why(sent: Connection) -> None:
    of_the_tick = {"accepted": 1, "reserved": 2, "in_doubt:no_answer": 1, "deferred:repeat": 1}

    assert ledger.counts(sent, SCOPE, NOW) == of_the_tick
    assert ledger.counts(sent, SCOPE) == {**of_the_tick, "skipped:once": 1}


def test_only_who_is_still_to_be_mailed_is_in_a_batch_in_the_order_of_its_places(sent: Connection) -> None:
    assert [(row.user_id, row.occurrence) for row in ledger.members_of(sent, BATCH)] == [(3, "1"), (2, "1")]
    assert ledger.accepted_in(sent, BATCH) == [1]


def test_what_a_tick_may_still_have_to_mail_is_what_is_reserved_or_in_doubt(sent: Connection) -> None:
    def open_at(scope: StepScope, as_of: datetime) -> set[object]:
        return set(sent.execute(select(sends.c.user_id).where(ledger.at_tick(scope, as_of))).scalars())

    assert open_at(SCOPE, NOW) == {2, 3, 4}
    assert open_at(SCOPE, NOW - A_MINUTE) == set()
    assert open_at(StepScope(SCOPE.mode, SCOPE.loop, "other"), NOW) == set()


def test_who_is_not_in_an_answer_is_found_among_those_who_are_asked_about(sent: Connection) -> None:
    answer = select(users.c.id).where(users.c.id != 3).subquery()
    sent.execute(insert(users), [a_user(n) for n in (2, 3, 4)])

    in_batch = ledger.not_among(sent, ledger.in_batch(BATCH), answer.c.id)
    at_tick = ledger.not_among(sent, ledger.at_tick(SCOPE, NOW), answer.c.id)

    assert in_batch == at_tick == {"3" * 32}


def a_user(number: int) -> dict[str, object]:
    return {"id": number, "dormant": True, "verified": True, "reminded": False}
