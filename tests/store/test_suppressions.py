"""The list of suppressions: what it stops, what it keeps, and what is not written into it again."""

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import prepared_tables
import pytest
from sqlalchemy import Connection, Engine, event, func, select, text

from skene_dagster.consent import suppressions
from skene_dagster.consent.suppressions import SCOPES, Scope, StopReason, Suppression
from skene_dagster.settings import Users
from skene_dagster.store import tables
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import OPEN

NOW = datetime(2026, 3, 2, 9)
A_DAY = timedelta(days=1)
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def migrated(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
    prepared_tables.make(engine, Users())
    return engine


@pytest.fixture
def connection(migrated: Engine) -> Iterator[Connection]:
    with migrated.begin() as connection:
        yield connection


def a_no(recipient: str = "ada", scope: Scope = "all", since: datetime = NOW, **more: object) -> Suppression:
    return Suppression(recipient, scope, since, "manual", "a test", **more)  # type: ignore[arg-type]


def rows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(tables.suppressions)).scalar_one()


def stopped(connection: Connection, scopes: Collection[Scope] = SCOPES, now: datetime = NOW) -> dict[str, StopReason]:
    return suppressions.stopped(connection, ["ada", "bob"], scopes, now)


@pytest.mark.parametrize(
    ("scope", "marketing", "transactional"),
    [("all", "suppressed", "suppressed"), ("marketing", "said_no", None)],
)
def test_a_suppression_stops_the_mail_of_its_scope(
    connection: Connection, scope: Scope, marketing: StopReason, transactional: StopReason | None
) -> None:
    suppressions.suppress(connection, [a_no(scope=scope)], NOW)

    assert stopped(connection).get("ada") == marketing
    assert stopped(connection, ("all",)).get("ada") == transactional
    assert "bob" not in stopped(connection)


def test_of_two_noes_the_wider_one_is_the_reason(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(scope="marketing"), a_no(scope="all")], NOW)

    assert stopped(connection) == {"ada": "suppressed"}
    assert suppressions.widest(["ada", "eve"], {"ada": "said_no", "eve": "suppressed"}) == "suppressed"
    assert suppressions.widest(["ada"], {"ada": "said_no", "eve": "suppressed"}) == "said_no"
    assert suppressions.widest(["bob"], {"ada": "said_no"}) is None


def test_what_holds_is_not_added_again_and_keeps_its_first_moment(connection: Connection) -> None:
    entries = [a_no(), a_no(since=NOW + A_DAY), a_no(scope="marketing"), a_no("bob")]

    assert suppressions.suppress(connection, entries, NOW) == [entries[0], *entries[2:]]
    assert suppressions.suppress(connection, entries, NOW) == []
    assert rows(connection) == 3
    assert [one.since for one in suppressions.page(connection, None, 9, NOW)] == [NOW] * 3


def test_a_lift_lets_mail_through_and_stays_on_record(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(), a_no(scope="marketing"), a_no("bob")], NOW)

    lifted = suppressions.lift(connection, ["ada"], "they wrote to us", NOW + A_DAY, ["all"])

    assert [(one.recipient, one.scope) for one in lifted] == [("ada", "all")]
    assert stopped(connection, now=NOW + A_DAY) == {"ada": "said_no", "bob": "suppressed"}
    assert rows(connection) == 3
    kept = select(tables.suppressions.c.lift_reason).where(tables.suppressions.c.lifted_at == NOW + A_DAY)
    assert connection.execute(kept).scalars().all() == ["they wrote to us"]


@pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_no_that_comes_while_another_is_lifted_holds(migrated: Engine, scope: Scope) -> None:
    engine, lifted_at = migrated, NOW + A_DAY
    transaction(engine, lambda c: suppressions.suppress(c, [a_no(scope="marketing")], NOW))
    later = a_no(scope=scope, since=lifted_at + A_SECOND)

    def say_no() -> None:
        transaction(engine, lambda c: suppressions.suppress(c, [later], later.since))

    with ThreadPoolExecutor() as pool:
        said: list[Future[None]] = []

        def while_it_is_lifted(*_: object) -> None:
            if not said:
                said.append(pool.submit(say_no))

        event.listen(engine, "after_cursor_execute", while_it_is_lifted)
        transaction(engine, lambda c: suppressions.lift(c, ["ada"], "a mistake", lifted_at))
        said[0].result()

    wanted = {"all": "suppressed", "marketing": "said_no"}[scope]
    assert transaction(engine, lambda c: stopped(c, now=later.since)) == {"ada": wanted}


def test_what_was_said_after_the_moment_of_a_lift_is_not_lifted(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no()], NOW)
    suppressions.suppress(connection, [a_no(since=NOW + A_DAY)], NOW + A_DAY)

    assert suppressions.lift(connection, ["ada"], "too early", NOW + A_DAY - A_SECOND) == []
    assert len(suppressions.lift(connection, ["ada"], "by now", NOW + A_DAY)) == 1


def test_a_moment_ahead_of_the_clock_keeps_nothing_from_being_lifted(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(since=NOW + A_DAY)], NOW)

    assert len(suppressions.lift(connection, ["ada"], "a wrong clock", NOW)) == 1


def test_what_lasts_longer_takes_the_place_of_what_ends_by_itself(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(until=NOW + A_DAY)], NOW)

    added = suppressions.suppress(connection, [a_no(), a_no(until=NOW + 2 * A_DAY)], NOW)

    assert [one.until for one in added] == [OPEN]
    assert rows(connection) == 1
    assert stopped(connection, now=NOW + 3 * A_DAY) == {"ada": "suppressed"}
    assert suppressions.suppress(connection, [a_no(until=NOW + 2 * A_DAY)], NOW) == []


def test_an_address_that_is_known_stays_known(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(until=NOW + A_DAY, address="ada@example.com")], NOW)
    suppressions.suppress(connection, [a_no()], NOW)

    assert [(one.address, one.until) for one in suppressions.page(connection, None, 9, NOW)] == [
        ("ada@example.com", OPEN)
    ]


def test_the_list_is_read_for_some_scopes_alone(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(), a_no(scope="marketing")], NOW)

    assert [one.scope for one in suppressions.page(connection, None, 9, NOW, ["marketing"])] == ["marketing"]


def test_what_ended_by_itself_was_lifted_by_nobody(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(until=NOW + 2 * A_DAY)], NOW)

    added = suppressions.suppress(connection, [a_no(since=NOW + A_DAY)], NOW + 3 * A_DAY)

    assert len(added) == 1
    assert stopped(connection, now=NOW + 3 * A_DAY) == {"ada": "suppressed"}


def test_of_two_entries_the_one_that_counts_is_taken_in_whatever_order(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no()], NOW)
    suppressions.lift(connection, ["ada"], "a mistake", NOW + A_DAY)
    older, newer = a_no(since=NOW), a_no(since=NOW + 2 * A_DAY)

    assert suppressions.lacking(connection, [newer, older], NOW + 3 * A_DAY) == [newer]
    assert suppressions.suppress(connection, [older, newer], NOW + 3 * A_DAY) == [newer]


def test_what_is_over_already_is_not_added(connection: Connection) -> None:
    assert suppressions.suppress(connection, [a_no(until=NOW)], NOW) == []
    assert rows(connection) == 0


def test_complaints_can_be_spared_by_a_lift(connection: Connection) -> None:
    suppressions.suppress(connection, [Suppression("ada", "all", NOW, "complaint", "a test"), a_no("bob")], NOW)

    lifted = suppressions.lift(connection, ["ada", "bob"], "a mistake", NOW, complaints=False)

    assert [one.recipient for one in lifted] == ["bob"]
    assert stopped(connection) == {"ada": "suppressed"}


@pytest.mark.parametrize("together", [True, False], ids=["in one statement", "one after the other"])
def test_a_complaint_becomes_the_reason_of_what_holds(connection: Connection, *, together: bool) -> None:
    bounce = Suppression("ada", "all", NOW, "bounce", "resend")
    complaint = Suppression("ada", "all", NOW + A_SECOND, "complaint", "resend")
    for some in [[bounce, complaint]] if together else [[bounce], [complaint], [bounce]]:
        suppressions.suppress(connection, some, NOW + A_DAY)

    assert suppressions.lift(connection, ["ada"], "a test", NOW + A_DAY, complaints=False) == []
    assert [one.reason for one in suppressions.lift(connection, ["ada"], "a test", NOW + A_DAY)] == ["complaint"]


def test_nothing_is_lifted_twice(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no()], NOW)

    assert len(suppressions.lift(connection, ["ada"], "once", NOW)) == 1
    assert suppressions.lift(connection, ["ada"], "twice", NOW) == []


@pytest.mark.parametrize(
    ("since", "is_added"),
    [
        pytest.param(NOW, False, id="older than the lift"),
        pytest.param(NOW + A_DAY, False, id="of the moment of the lift"),
        pytest.param(NOW + A_DAY + timedelta(microseconds=1), True, id="newer than the lift"),
    ],
)
def test_what_is_older_than_a_lift_does_not_suppress_again(
    connection: Connection, since: datetime, is_added: bool
) -> None:
    suppressions.suppress(connection, [a_no()], NOW)
    suppressions.lift(connection, ["ada"], "a mistake", NOW + A_DAY)

    added = suppressions.suppress(connection, [a_no(since=since)], NOW + 2 * A_DAY)

    assert len(added) == int(is_added)
    assert stopped(connection, now=NOW + 2 * A_DAY) == ({"ada": "suppressed"} if is_added else {})


def test_a_suppression_may_end_by_itself(connection: Connection) -> None:
    suppressions.suppress(connection, [a_no(until=NOW + A_DAY)], NOW)

    assert stopped(connection, now=NOW + A_DAY - timedelta(microseconds=1)) == {"ada": "suppressed"}
    assert stopped(connection, now=NOW + A_DAY) == {}


def test_more_than_one_statement_takes_are_written_and_found(connection: Connection) -> None:
    many = [f"{number:05}" for number in range(2_500)]

    assert len(suppressions.suppress(connection, [a_no(name) for name in many], NOW)) == 2_500
    assert len(suppressions.stopped(connection, many, SCOPES, NOW)) == 2_500
    assert len(suppressions.lift(connection, many, "all of them", NOW)) == 2_500


def test_the_list_is_read_by_pages_in_the_order_of_its_keys(connection: Connection) -> None:
    wanted = [(name, scope) for name in ("ada", "bob", "eve") for scope in SCOPES]
    suppressions.suppress(connection, [a_no(name, scope) for name, scope in reversed(wanted)], NOW)
    found: list[tuple[str, str]] = []

    while page := suppressions.page(connection, found[-1] if found else None, 4, NOW):
        found += [(one.recipient, one.scope) for one in page]

    assert found == wanted
