"""What the ledger knows of a user, of a row and of an email, by rows that are written as they may stand there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import START as NOW
from delivery_world import World, make_world
from sqlalchemy import Connection, Engine, insert

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.model import Past, Waiting
from skene_dagster.store.tables import batches, deferred, recovered, sends

SCOPE = StepScope("outbox", "retention", "main")
AN_INSTANT, A_DAY = timedelta(microseconds=1), timedelta(days=1)
FIRST, SECOND, THIRD = NOW - 3 * A_DAY, NOW - 2 * A_DAY, NOW - A_DAY


@pytest.fixture
def connection(engine: Engine, tmp_path: Path) -> Iterator[Connection]:
    world: World = make_world(engine, tmp_path)
    with world.engine.connect() as connection:
        yield connection
        connection.rollback()


def a_send(connection: Connection, user: int, occurrence: str, state: str, at: datetime, **columns: object) -> None:
    plain = {"mode": SCOPE.mode, "loop": SCOPE.loop, "step": SCOPE.step, "send_id": f"{user}-{occurrence}"}
    decided = {"user_id": user, "occurrence": occurrence, "state": state, "as_of": at, "decided_at": at}
    connection.execute(insert(sends).values(plain | decided | columns))


def a_batch(connection: Connection, name: str, **columns: object) -> None:
    plain = {"batch_id": name, "mode": SCOPE.mode, "loop": SCOPE.loop, "step": SCOPE.step, "state": "frozen"}
    numbers = {"size": 1, "attempts": 1, "as_of": FIRST, "reserved_at": FIRST}
    connection.execute(insert(batches).values(plain | numbers | columns))


def test_a_past_is_the_last_decision_and_the_last_mail_of_the_step(connection: Connection) -> None:
    # What was decided last is not what was written last.
    a_send(connection, 1, "10", "skipped", THIRD, reason="repeat")
    a_send(connection, 1, "1", "accepted", FIRST)
    a_send(connection, 1, "2", "skipped", SECOND, reason="once")
    a_send(connection, 2, "2", "in_doubt", SECOND, decided_at=THIRD, reason="no_answer")
    a_send(connection, 2, "1", "refused", SECOND)
    a_send(connection, 3, "1", "reserved", FIRST)
    a_send(connection, 4, "1", "reserved", FIRST)
    a_send(connection, 4, "2", "skipped", SECOND, reason="left_segment")
    for others in ({"mode": "redirect"}, {"loop": "other"}, {"step": "other"}):
        a_send(connection, 3, "9", "accepted", THIRD, **others)

    assert ledger.history(connection, SCOPE, [1, 2, 3, 4, 5]) == {
        1: Past(10, "skipped", "repeat", THIRD, FIRST),
        2: Past(2, "in_doubt", "no_answer", SECOND, SECOND),
        3: Past(1, "reserved", None, FIRST, None, is_in_flight=True),
        4: Past(2, "skipped", "left_segment", SECOND, None, is_in_flight=True),
    }


def test_of_who_waits_twice_the_first_is_told(connection: Connection) -> None:
    for user, occurrence, ask_at in (
        (1, "1", THIRD),
        (1, "2", FIRST),
        (1, "3", SECOND),
        (2, "8", FIRST),
        (2, "7", FIRST),
    ):
        plain = {"mode": SCOPE.mode, "loop": SCOPE.loop, "step": SCOPE.step, "as_of": FIRST, "decided_at": FIRST}
        row = {"user_id": user, "occurrence": occurrence, "reason": "no_address", "ask_at": ask_at}
        connection.execute(insert(deferred).values(plain | row))

    assert ledger.waiting_users(connection, SCOPE, [1, 2, 3]) == {
        1: Waiting("2", "no_address", FIRST),
        2: Waiting("7", "no_address", FIRST),
    }


def test_a_page_knows_its_own_users_only(connection: Connection) -> None:
    for user in (1, 2, 3, 4):
        a_send(connection, user, "1", "accepted", FIRST)

    assert set(ledger.history(connection, SCOPE, [2, 3])) == {2, 3}


def test_a_row_knows_its_own_decision_and_the_last_mail_to_its_user(connection: Connection) -> None:
    a_send(connection, 1, "b", "accepted", SECOND)
    a_send(connection, 1, "a", "accepted", FIRST)
    a_send(connection, 2, "a", "reserved", FIRST)
    a_send(connection, 3, "a", "skipped", FIRST, reason="too_late")
    a_send(connection, 4, "a", "in_doubt", FIRST)
    a_send(connection, 5, "a", "accepted", FIRST, step="other")
    asked = [(1, "a"), (1, "c"), (2, "c"), (3, "a"), (3, "c"), (4, "c"), (5, "a")]

    assert ledger.of_rows(connection, SCOPE, asked) == {
        (1, "a"): Past(1, "accepted", None, FIRST, SECOND),
        (1, "c"): Past(1, None, None, datetime.min, SECOND),  # noqa: DTZ901
        (2, "c"): Past(1, None, None, datetime.min, FIRST),  # noqa: DTZ901
        (3, "a"): Past(1, "skipped", "too_late", FIRST, None),
        (4, "c"): Past(1, None, None, datetime.min, FIRST),  # noqa: DTZ901
    }


def test_an_email_is_known_that_the_ledger_would_not_send_as_if_it_had_never_left(connection: Connection) -> None:
    states = ("reserved", "accepted", "skipped", "refused", "in_doubt")
    for number, state in enumerate(states, start=1):
        a_send(connection, number, state, state, FIRST)
    a_batch(connection, "answered", last_attempt_at=FIRST)
    a_batch(connection, "unanswered", unanswered_at=FIRST)
    a_batch(connection, "unresolved", unresolved_since=FIRST)
    for number, name in enumerate(("answered", "unanswered", "unresolved"), start=11):
        a_send(connection, number, name, "reserved", FIRST, batch_id=name)
    connection.execute(insert(recovered).values(send_id="told", provider_id="id", accepted_at=FIRST))
    of_the_ledger = [
        *(f"{number}-{state}" for number, state in enumerate(states, start=1)),
        *("11-answered", "12-unanswered", "13-unresolved"),
    ]
    elsewhere = {"told": "answered", "new": "answered", "left by it": "unanswered"}

    known = ledger.known(connection, dict.fromkeys(of_the_ledger, "answered") | elsewhere)

    assert known == {
        *("2-accepted", "3-skipped", "4-refused", "5-in_doubt", "12-unanswered", "13-unresolved"),
        *("told", "left by it"),
    }


def test_what_left_by_a_batch_that_the_ledger_does_not_have_is_known_only_if_it_is_final(
    connection: Connection,
) -> None:
    a_batch(connection, "unanswered", unanswered_at=FIRST)
    for number, state in enumerate(("reserved", "in_doubt", "accepted", "skipped", "refused"), start=1):
        a_send(connection, number, state, state, FIRST, batch_id="unanswered")
    connection.execute(insert(recovered).values(send_id="told", provider_id="id", accepted_at=FIRST))
    emails = ("1-reserved", "2-in_doubt", "3-accepted", "4-skipped", "5-refused", "told", "new")

    assert ledger.known(connection, dict.fromkeys(emails, "another")) == {
        "3-accepted",
        "4-skipped",
        "5-refused",
        "told",
    }


def test_the_key_of_what_left_in_part_by_another_one_is_used_no_more(connection: Connection) -> None:
    attempted = {"unresolved_since": FIRST, "unanswered_at": FIRST}
    connection.execute(insert(recovered).values(send_id="1-in part", provider_id="id", accepted_at=FIRST))
    connection.execute(insert(recovered).values(send_id="4-never left", provider_id="id", accepted_at=FIRST))
    connection.execute(insert(recovered).values(send_id="5-refused", provider_id="id", accepted_at=FIRST))
    connection.execute(insert(recovered).values(send_id="6-another's", provider_id="id", accepted_at=FIRST))
    a_batch(connection, "in part", **attempted)
    a_batch(connection, "of others", **attempted)
    a_batch(connection, "never left")
    a_batch(connection, "refused", refusal="409", **attempted)
    a_batch(connection, "another's", mode="redirect", **attempted)
    sent = ("in part", "in part", "of others", "never left", "refused", "another's")
    for number, name in enumerate(sent, start=1):
        a_send(connection, number, name, "reserved", FIRST, batch_id=name)

    ledger.refuse_keys(connection)

    names = ("in part", "of others", "never left", "refused", "another's")
    refusals = {name: ledger.batch_of(connection, name).refusal for name in names}
    assert refusals.pop("in part")
    assert refusals.pop("another's")
    assert refusals == {"of others": None, "never left": None, "refused": "409"}


def test_the_newest_attempt_is_the_channels_own_and_by_no_wrong_clock(connection: Connection) -> None:
    as_far = NOW + timedelta(minutes=5)

    assert ledger.newest_attempt(connection, SCOPE.mode, NOW) is None
    a_batch(connection, "first", last_attempt_at=FIRST)
    a_batch(connection, "second", last_attempt_at=SECOND)
    a_batch(connection, "another's", last_attempt_at=THIRD, mode="live")
    a_batch(connection, "ahead", last_attempt_at=as_far + AN_INSTANT)
    assert ledger.newest_attempt(connection, SCOPE.mode, NOW) == SECOND
    a_batch(connection, "as far as clocks differ", last_attempt_at=as_far)
    assert ledger.newest_attempt(connection, SCOPE.mode, NOW) == as_far


def test_what_is_frozen_and_never_left_is_rendered_anew(connection: Connection) -> None:
    a_batch(connection, "frozen")
    a_batch(connection, "attempted", unresolved_since=FIRST)
    a_batch(connection, "reserved", state="reserved")
    a_batch(connection, "another's", mode="redirect")

    ledger.reissue_frozen(connection, NOW)

    names = ("frozen", "attempted", "reserved", "another's")
    states = {name: ledger.batch_of(connection, name).state for name in names}
    assert states == {"frozen": "split", "attempted": "frozen", "reserved": "reserved", "another's": "split"}
