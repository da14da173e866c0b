"""Which emails a recipient has got, or is to get: of all loops, and as the ledger knows them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import START as NOW
from delivery_world import World, make_world
from query_plans import plans_of
from sqlalchemy import Connection, Engine, insert, select, update

from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.ledger.decisions import contacts
from skene_dagster.delivery.model import Contact, SendState
from skene_dagster.delivery.new_decisions import NewContact
from skene_dagster.delivery.retention import forget_contacts
from skene_dagster.settings import Cap
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import contacts as contacts_table
from skene_dagster.store.tables import sends

A_DAY = timedelta(days=1)
ADA, BOB = "1:ada", "1:bob"
LOOP, OTHER = StepScope("live", "retention", "main"), StepScope("live", "upgrade", "main")


@pytest.fixture
def connection(engine: Engine, tmp_path: Path) -> Iterator[Connection]:
    world: World = make_world(engine, tmp_path)
    with world.engine.connect() as connection:
        yield connection
        connection.rollback()


def send(
    connection: Connection, scope: StepScope, user_id: int, state: SendState, recipient: str = ADA, days: int = 0
) -> None:
    at = NOW - days * A_DAY
    row = {"mode": scope.mode, "loop": scope.loop, "step": scope.step, "user_id": user_id, "occurrence": "1"}
    decided = {"send_id": ledger.send_id(scope, user_id, 1), "as_of": at, "decided_at": at, "state": state}
    left = {"accepted_at": at if state == "accepted" else None}
    connection.execute(insert(sends).values(row | decided | left))
    contacts.keep(connection, scope, [NewContact(user_id, "1", recipient)], at)


def found(connection: Connection, mode: str = "live") -> dict[str, list[Contact]]:
    scope = StepScope(mode, "another", "main")
    return ledger.contacts_of(connection, scope, [ADA, BOB], as_of=NOW, since=NOW - 7 * A_DAY)


def test_what_left_within_the_time_counts_of_all_loops(connection: Connection) -> None:
    send(connection, LOOP, 1, "accepted", days=1)
    send(connection, OTHER, 2, "accepted", days=2)
    send(connection, OTHER, 3, "accepted", days=7)
    send(connection, OTHER, 4, "accepted", BOB)

    assert {one.at for one in found(connection)[ADA]} == {NOW - A_DAY, NOW - 2 * A_DAY}
    assert [(one.loop, one.user_id) for one in found(connection)[BOB]] == [("upgrade", 4)]


@pytest.mark.parametrize("state", ["reserved", "in_doubt"])
def test_what_may_still_leave_or_have_left_counts_however_old(connection: Connection, state: SendState) -> None:
    send(connection, LOOP, 1, state, days=30)

    assert [one.at for one in found(connection)[ADA]] == [None]


@pytest.mark.parametrize("state", ["skipped", "refused"])
def test_what_did_not_leave_counts_for_nothing(connection: Connection, state: SendState) -> None:
    send(connection, LOOP, 1, state)

    assert found(connection) == {}


def test_an_email_that_is_skipped_later_counts_no_more(connection: Connection) -> None:
    send(connection, LOOP, 1, "reserved")
    connection.execute(update(sends).values(state="skipped"))

    assert found(connection) == {}


def test_what_left_long_ago_counts_for_its_own_tick(connection: Connection) -> None:
    send(connection, LOOP, 1, "accepted", days=9)
    then = NOW - 9 * A_DAY

    of_the_tick = ledger.contacts_of(connection, LOOP, [ADA], as_of=then, since=NOW)
    assert [(one.loop, one.as_of) for one in of_the_tick[ADA]] == [("retention", then)]
    assert ledger.contacts_of(connection, LOOP, [ADA], as_of=NOW, since=NOW) == {}
    assert ledger.contacts_of(connection, OTHER, [ADA], as_of=then, since=NOW) == {}


def test_modes_do_not_count_for_each_other(connection: Connection) -> None:
    send(connection, LOOP, 1, "accepted")

    assert found(connection, "outbox") == {}


def test_who_is_decided_again_may_have_another_address(connection: Connection) -> None:
    send(connection, LOOP, 1, "reserved")

    contacts.keep(connection, LOOP, [NewContact(1, "1", BOB)], NOW)

    assert set(found(connection)) == {BOB}


def test_more_recipients_than_one_statement_takes_are_found(connection: Connection) -> None:
    for user_id in range(1, 4):
        send(connection, LOOP, user_id, "accepted", f"1:{user_id:04}")
    names = [f"1:{number:04}" for number in range(2_500)]

    found = ledger.contacts_of(connection, OTHER, names, as_of=NOW, since=NOW - A_DAY)

    assert set(found) == {"1:0001", "1:0002", "1:0003"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_more_sends_are_read_than_the_recipients_have(connection: Connection) -> None:
    with plans_of(connection.engine, "SELECT skene_contacts.recipient") as plans:
        assert found(connection) == {}

    ((first, second),) = plans
    assert first.startswith("SEARCH skene_contacts USING COVERING INDEX skene_contacts_recipient (recipient=?")
    assert "skene_sends" in second
    assert "occurrence=?" in second


def kept(connection: Connection) -> list[int]:
    return sorted(connection.execute(select(contacts_table.c.user_id)).scalars())


def test_what_no_cap_counts_any_more_is_forgotten_and_nothing_else(connection: Connection) -> None:
    for days in (29, 30, 31, 99):
        send(connection, LOOP, days, "accepted", days=days)
    states: tuple[SendState, ...] = ("reserved", "in_doubt", "skipped", "refused")
    for user_id, state in enumerate(states, 1):
        send(connection, LOOP, user_id, state, days=99)
    # It was parked for long, and left lately.
    send(connection, OTHER, 5, "accepted", days=99)
    connection.execute(update(sends).where(sends.c.user_id == 5).values(accepted_at=NOW - A_DAY))
    # It is to be decided again: it has no send.
    contacts.keep(connection, OTHER, [NewContact(6, "1", BOB)], NOW - 99 * A_DAY)

    swept, since = 0, None
    while True:
        part = ledger.forget_contacts(connection, before=NOW - 30 * A_DAY, since=since, size=2)
        swept, since = swept + part.rows, part.last
        if since is None:
            break

    assert (swept, kept(connection)) == (5, [1, 2, 5, 29, 30])


@pytest.mark.parametrize(("within", "left"), [("7d", [29]), ("60d", [29, 31])])
def test_contacts_are_kept_for_as_long_as_the_longest_cap_counts_them(
    engine: Engine, tmp_path: Path, within: str, left: list[int]
) -> None:
    make_world(engine, tmp_path)
    caps = [Cap(count=1, within="1d"), Cap(count=9, within=within)]  # type: ignore[arg-type]

    def write(connection: Connection) -> None:
        for days in (29, 31, 61):
            send(connection, LOOP, days, "accepted", days=days)

    transaction(engine, write)

    assert forget_contacts(engine, caps, lambda: NOW, chunk=1) == 3 - len(left)
    assert reading(engine, kept) == left
