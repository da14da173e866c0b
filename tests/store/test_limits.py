"""A statement that takes longer than it may is stopped in the database, and writes nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from skene_dagster.errors import StoreError, StoreTimeout
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.server.limits import limited, stopper

SOON, IN_TIME = timedelta(seconds=1), timedelta(minutes=1)
ENDLESS = "SELECT a.n FROM numbers a, numbers b, numbers c, numbers d, numbers e WHERE a.n + b.n + c.n + d.n + e.n < 0"


@pytest.fixture
def numbers(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": n} for n in range(500)])
    return engine


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        found: int = connection.execute(text("SELECT COUNT(*) FROM numbers")).scalar_one()
        return found


def running(engine: Engine) -> list[str]:
    """The statements that the server is still at; not those of which it tells the end just now."""
    if is_sqlite(engine):
        return []
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT info, state FROM information_schema.processlist"))
        return [
            row.info for row in rows if "numbers a, numbers b" in (row.info or "") and row.state != "Writing to net"
        ]


@pytest.mark.parametrize(
    "statement",
    [pytest.param(ENDLESS, id="a read"), pytest.param(f"INSERT INTO numbers {ENDLESS}", id="a write")],
)
def test_what_takes_too_long_is_stopped_and_its_transaction_rolled_back(numbers: Engine, statement: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO numbers VALUES (1000)"))
        with limited(connection, SOON):
            connection.execute(text(statement)).close()

    with pytest.raises(StoreTimeout, match=r"^It took longer than 1s and was stopped; nothing was written\.$"):
        transaction(numbers, work)

    assert running(numbers) == []
    assert count(numbers) == 500


def test_what_ends_in_time_is_left_alone(numbers: Engine) -> None:
    def work(connection: Connection) -> int:
        with limited(connection, IN_TIME):
            return connection.execute(text("INSERT INTO numbers VALUES (1000)")).rowcount

    assert transaction(numbers, work) == 1
    assert count(numbers) == 501


def test_what_the_database_refuses_is_told_as_ever(numbers: Engine) -> None:
    def work(connection: Connection) -> None:
        with limited(connection, IN_TIME):
            connection.execute(text("SELECT nothing FROM numbers"))

    with pytest.raises(StoreError, match="nothing") as refused:
        transaction(numbers, work)

    assert not isinstance(refused.value, StoreTimeout)


def test_a_transaction_that_is_between_two_statements_is_not_stopped(numbers: Engine) -> None:
    def work(connection: Connection) -> None:
        stop = stopper(connection)
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": n} for n in range(1000, 1500)])
        stop()
        connection.execute(text("INSERT INTO numbers VALUES (2000)"))

    transaction(numbers, work)

    assert count(numbers) == 500 + 500 + 1


def test_a_connection_on_which_something_was_stopped_is_given_to_nobody_else(numbers: Engine) -> None:
    with numbers.connect() as connection:
        with pytest.raises(StoreTimeout), limited(connection, timedelta(milliseconds=10)):
            connection.execute(text(ENDLESS)).close()

        assert connection.invalidated
    with numbers.connect() as connection:
        with limited(connection, IN_TIME):
            connection.execute(text("SELECT 1")).close()

        assert not connection.invalidated
