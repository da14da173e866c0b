"""What changes a batch, and in which state: one batch after the other, each with one thing of its own."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import START as NOW
from delivery_world import World, make_world
from sqlalchemy import Connection, Engine, insert, select, update

from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.ledger import Skipped, StepScope
from skene_dagster.delivery.model import Batch
from skene_dagster.store.tables import batches, sends

SCOPE = StepScope("outbox", "retention", "main")
BATCH, SEND, OTHER = "b" * 32, "1" * 32, "2" * 32
STATES = ("reserved", "frozen", "accepted", "settled", "split", "in_doubt")

AN_INSTANT = timedelta(microseconds=1)
A_MINUTE = timedelta(minutes=1)
BEFORE = NOW - timedelta(hours=3)
BYTES = Frozen((SEND,), b"[]")


@pytest.fixture
def connection(engine: Engine, tmp_path: Path) -> Iterator[Connection]:
    """A connection to a ledger with one batch of one send, whose attempt got no answer; `one` holds it."""
    world: World = make_world(engine, tmp_path)
    scope = {"mode": SCOPE.mode, "loop": SCOPE.loop, "step": SCOPE.step, "as_of": BEFORE}
    batch = {
        "batch_id": BATCH,
        "state": "frozen",
        "size": 1,
        "attempts": 2,
        "reserved_at": BEFORE,
        "frozen_at": BEFORE,
        "owner": "one",
        "lease_until": NOW + A_MINUTE,
        "payload": BYTES.packed,
        "send_ids": SEND,
        "last_attempt_at": BEFORE,
        "due_at": BEFORE,
    }
    one = {"user_id": 1, "occurrence": "1", "send_id": SEND, "decided_at": BEFORE, "state": "reserved", "position": 0}
    with world.engine.connect() as connection:
        connection.execute(insert(batches).values(scope | batch))
        connection.execute(insert(sends).values(scope | one | {"batch_id": BATCH}))
        connection.execute(insert(sends).values(scope | one | {"user_id": 2, "send_id": OTHER, "batch_id": "c" * 32}))
        yield connection
        connection.rollback()


def the_batch(connection: Connection) -> Batch:
    return ledger.batch_of(connection, BATCH)


def change(connection: Connection, columns: Mapping[str, object]) -> None:
    connection.execute(update(batches).where(batches.c.batch_id == BATCH).values(**columns))


def every_row(connection: Connection) -> list[object]:
    return [
        *connection.execute(select(batches).order_by(batches.c.batch_id)),
        *connection.execute(select(sends).order_by(sends.c.mode, sends.c.loop, sends.c.step, sends.c.send_id)),
    ]


def changes(connection: Connection, columns: Mapping[str, object], work: Callable[[Connection], object]) -> bool:
    """Whether something changes anything where the batch is as said; it is undone."""
    with connection.begin_nested() as undone:
        change(connection, {"batch_id": BATCH, **columns})
        before = every_row(connection)
        work(connection)
        after = every_row(connection)
        undone.rollback()
    return before != after


OPEN = {"reserved", "frozen", "accepted", "in_doubt"}
LEFT_OUT = {SEND: Skipped("left_segment")}

# What people and runs do, and in which states of a batch it does anything.
DEEDS: dict[str, tuple[Callable[[Connection], object], set[str]]] = {
    "claim": (lambda c: ledger.claim(c, BATCH, "one", NOW + AN_INSTANT), OPEN),
    "put off": (lambda c: ledger.put_off(c, BATCH, 2, NOW, "why"), OPEN),
    "release": (lambda c: ledger.release(c, BATCH, "one", "why"), set(STATES)),
    "freeze": (
        lambda c: ledger.freeze(
            c,
            BATCH,
            "one",
            frozen=Frozen((), b""),
            recipients=[],
            domains=[],
            languages=[],
            provider="resend",
            left_out=LEFT_OUT,
            now=NOW,
        ),
        {"reserved"},
    ),
    "begin an attempt": (lambda c: ledger.begin_attempt(c, the_batch(c), "one", NOW), {"frozen"}),
    "nothing happened": (lambda c: ledger.nothing_happened(c, BATCH, 2, "429"), {"frozen"}),
    "an answer": (lambda c: ledger.answered(c, the_batch(c), 2, "500", refused=False), {"frozen"}),
    "settle": (lambda c: ledger.settle(c, BATCH, {OTHER: None}, write_back=False, now=NOW), {"frozen", "in_doubt"}),
    "write back": (lambda c: ledger.written_back(c, BATCH, NOW), {"accepted"}),
    "split": (lambda c: ledger.split(c, the_batch(c), [[SEND]], NOW), {"reserved", "frozen"}),
    "reissue": (lambda c: ledger.reissue(c, the_batch(c), NOW), {"frozen", "in_doubt"}),
    "drop": (lambda c: ledger.drop(c, BATCH, "cancelled", NOW), {"reserved", "frozen"}),
    "the records show nothing": (lambda c: ledger.shown_nothing(c, the_batch(c), NOW, NOW + A_MINUTE), set(STATES)),
    "give up": (lambda c: ledger.give_up(c, BATCH, NOW), {"in_doubt"}),
    "doubt": (lambda c: ledger.doubt(c, BATCH, "why", NOW), {"frozen", "in_doubt"}),
    "cancel when its lease is over": (
        lambda c: ledger.cancel(c, SCOPE.loop, NOW, NOW + A_MINUTE + AN_INSTANT),
        {"reserved", "frozen"},
    ),
    "drop a step when its lease is over": (
        lambda c: ledger.drop_step(c, SCOPE, NOW + A_MINUTE + AN_INSTANT),
        {"reserved", "frozen"},
    ),
}


def test_each_deed_is_for_batches_of_some_states(connection: Connection) -> None:
    done = {
        name: {state for state in STATES if changes(connection, {"state": state}, deed)}
        for name, (deed, _) in DEEDS.items()
    }

    assert done == {name: states for name, (_, states) in DEEDS.items()}


UNRESOLVED: dict[str, object] = {"unresolved_since": BEFORE}
LATER = {"reserved_at": NOW + AN_INSTANT, "as_of": NOW + AN_INSTANT}

# What keeps a deed from being done to a batch that is in the right state.
OBSTACLES: dict[str, tuple[Callable[[Connection], object], dict[str, dict[str, object]]]] = {
    "claim": (
        lambda c: ledger.claim(c, BATCH, "another", NOW),
        {
            "held": {},
            "held until now": {"lease_until": NOW},
            "held to the longest": {"lease_until": NOW + 2 * A_MINUTE},
        },
    ),
    "release": (lambda c: ledger.release(c, BATCH, "another"), {"held": {}}),
    "put off": (lambda c: ledger.put_off(c, BATCH, 1, NOW, "why"), {"tried again": {}}),
    "nothing happened": (lambda c: ledger.nothing_happened(c, BATCH, 1, "429"), {"tried again": {}}),
    "an answer": (lambda c: ledger.answered(c, the_batch(c), 1, "500", refused=True), {"tried again": {}}),
    "begin an attempt": (
        lambda c: ledger.begin_attempt(c, the_batch(c), "one", NOW),
        {"of another": {"owner": "another"}, "over": {"lease_until": NOW}, "refused": {"refusal": "never again"}},
    ),
    "drop": (lambda c: ledger.drop(c, BATCH, "cancelled", NOW), {"perhaps sent": UNRESOLVED}),
    "cancel": (
        lambda c: ledger.cancel(c, SCOPE.loop, NOW, NOW),
        {
            "held": {},
            "perhaps sent": {"owner": None, **UNRESOLVED},
            "reserved later": {"owner": None, **LATER},
            "of another loop": {"owner": None, "loop": "other"},
        },
    ),
    "drop a step": (
        lambda c: ledger.drop_step(c, SCOPE, NOW),
        {
            "held": {},
            "perhaps sent": {"owner": None, **UNRESOLVED},
            "of another step": {"owner": None, "step": "other"},
            "of another mode": {"owner": None, "mode": "redirect"},
        },
    ),
}


def test_no_deed_is_done_to_a_batch_of_which_something_else_is_true(connection: Connection) -> None:
    done = [
        f"{name}: {obstacle}"
        for name, (deed, obstacles) in OBSTACLES.items()
        for obstacle, columns in obstacles.items()
        if changes(connection, columns, deed)
    ]

    assert done == []


@pytest.mark.parametrize("since", [{"attempts": 3}, {"state": "accepted"}], ids=["tried again", "accepted"])
def test_what_the_records_show_is_of_the_batch_as_it_was_when_they_were_asked(
    connection: Connection, since: dict[str, object]
) -> None:
    asked = the_batch(connection)

    assert not changes(connection, since, lambda c: ledger.shown_nothing(c, asked, NOW, NOW + A_MINUTE))


def test_the_records_showed_nothing_since_the_first_time(connection: Connection) -> None:
    for at in (NOW, NOW + A_MINUTE):
        ledger.shown_nothing(connection, the_batch(connection), at, at + A_MINUTE)

    batch = the_batch(connection)
    assert (batch.absent_at, batch.due_at) == (NOW, NOW + 2 * A_MINUTE)


def test_a_cancellation_is_about_what_was_reserved_until_then(connection: Connection) -> None:
    def is_cancelled(**columns: object) -> bool:
        batch = {"owner": None, **LATER, **columns}
        return changes(connection, batch, lambda c: ledger.cancel(c, SCOPE.loop, NOW, NOW))

    assert is_cancelled(reserved_at=NOW, as_of=NOW)
    assert is_cancelled(as_of=NOW)
    assert is_cancelled(reserved_at=NOW)
    assert not is_cancelled()
    # So far ahead two clocks may differ; beyond it one was wrong.
    assert not is_cancelled(reserved_at=NOW + 5 * A_MINUTE)
    assert is_cancelled(reserved_at=NOW + 5 * A_MINUTE + AN_INSTANT)


def test_a_moment_further_ahead_than_clocks_differ_is_corrected_when_a_batch_is_claimed(connection: Connection) -> None:
    moments = ("reserved_at", "unresolved_since", "first_attempt_at", "last_attempt_at", "unanswered_at", "absent_at")
    as_far = NOW + 5 * A_MINUTE
    kept: dict[str, object] = {}
    corrected: dict[str, object] = {}
    for moment in moments:
        for found, at in ((kept, as_far), (corrected, as_far + AN_INSTANT)):
            change(connection, {**dict.fromkeys(moments, BEFORE), moment: at})
            claimed = ledger.claim(connection, BATCH, "one", NOW)
            assert claimed is not None
            assert getattr(claimed, moment) == getattr(the_batch(connection), moment)
            found[moment] = getattr(claimed, moment)

    month_ago = NOW - timedelta(days=30)
    safe = {"unresolved_since": month_ago, "first_attempt_at": month_ago, "absent_at": None}
    assert kept == dict.fromkeys(moments, as_far)
    assert corrected == dict.fromkeys(moments, NOW) | safe


def test_a_key_that_a_wrong_clock_first_used_counts_as_over(connection: Connection) -> None:
    change(connection, {"unresolved_since": BEFORE, "first_attempt_at": NOW + A_MINUTE * 6})

    claimed = ledger.claim(connection, BATCH, "one", NOW)

    assert claimed is not None
    assert claimed.unresolved_since == claimed.first_attempt_at == NOW - timedelta(days=30)


def test_an_attempt_before_which_there_was_none_without_answer_is_only_dated_anew(connection: Connection) -> None:
    change(connection, {"unresolved_since": None, "first_attempt_at": NOW + A_MINUTE * 6})

    claimed = ledger.claim(connection, BATCH, "one", NOW)

    assert claimed is not None
    assert (claimed.unresolved_since, claimed.first_attempt_at) == (None, NOW)


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (8, 128), (9, 256), (10, 300), (1_000_000, 300)],
)
def test_each_attempt_doubles_the_wait_from_a_second_up_to_five_minutes(attempts: int, seconds: int) -> None:
    assert ledger.own_wait(attempts) == timedelta(seconds=seconds)


def test_an_attempt_is_written_down_before_it_is_made(connection: Connection) -> None:
    change(connection, {"absent_at": BEFORE, "first_attempt_at": BEFORE, "unresolved_since": None})

    assert ledger.begin_attempt(connection, the_batch(connection), "one", NOW) == 3

    batch = the_batch(connection)
    assert (batch.attempts, batch.first_attempt_at, batch.unresolved_since) == (3, BEFORE, NOW)
    assert (batch.last_attempt_at, batch.unanswered_at, batch.absent_at) == (NOW, NOW, None)
    # The third attempt: 1 s, 2 s, 4 s.
    assert (batch.due_at, batch.lease_until) == (NOW + timedelta(seconds=4), NOW + A_MINUTE)


def test_an_attempt_whose_commit_got_no_answer_is_known_by_its_moment(connection: Connection) -> None:
    second = the_batch(connection)
    change(connection, {"attempts": 1})
    first = the_batch(connection)
    change(connection, {"attempts": 2})

    assert ledger.begun(connection, first, "one", BEFORE) == 2
    assert ledger.begun(connection, first, "another", BEFORE) is None
    assert ledger.begun(connection, first, "one", BEFORE + AN_INSTANT) is None
    assert ledger.begun(connection, second, "one", BEFORE) is None


def test_only_an_email_of_the_batch_is_refused(connection: Connection) -> None:
    for identity in (SEND, OTHER):
        ledger.refuse(connection, BATCH, identity, "no such domain", NOW)

    query = select(sends.c.send_id, sends.c.state).where(sends.c.send_id.in_((SEND, OTHER)))
    assert dict(connection.execute(query).all()) == {SEND: "refused", OTHER: "reserved"}
