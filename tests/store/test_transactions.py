"""A transaction happens once or not at all; what may pass is tried again, what is not known is looked up by its key."""

import threading
import time
from collections.abc import Callable

import pymysql
import pytest
from broken_commits import breaking_off, cut_off
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from skene_dagster.errors import CommitUnknown, StoreError, StoreUnavailable
from skene_dagster.store.engine import ATTEMPTS, back_off, open_engine, transaction

on_servers = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_transaction_is_committed_and_gives_its_result(engine: Engine) -> None:
    counter(engine)

    result = transaction(engine, add_one)

    assert (result, count(engine)) == (1, 1)


def test_a_transaction_that_fails_is_taken_back(engine: Engine) -> None:
    counter(engine)

    def fails(connection: Connection) -> None:
        add_one(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transaction(engine, fails)

    assert count(engine) == 0


def test_nothing_is_lost_when_several_write_at_once(database_url: str, engine: Engine) -> None:
    counter(engine)

    def write() -> None:
        own = open_engine(database_url)
        for _ in range(5):
            transaction(own, add_one)
        own.dispose()

    in_threads([write] * 4)

    assert count(engine) == 4 * 5


@on_servers
def test_a_deadlock_ends_with_both_done(database_url: str, engine: Engine) -> None:
    counter(engine)
    met = threading.Barrier(2)
    tries = []

    def cross(first: int, second: int) -> None:
        def work(connection: Connection) -> None:
            tries.append(first)
            connection.execute(text("UPDATE counter SET n = n + 1 WHERE id = :id"), {"id": first})
            if tries.count(first) == 1:
                met.wait()
            connection.execute(text("UPDATE counter SET n = n + 1 WHERE id = :id"), {"id": second})

        own = open_engine(database_url)
        transaction(own, work)
        own.dispose()

    in_threads([lambda: cross(1, 2), lambda: cross(2, 1)])

    assert len(tries) == 3  # the victim tried again
    assert (count(engine, 1), count(engine, 2)) == (2, 2)


@on_sqlite
@pytest.mark.parametrize("code", [8002, 8005, 8022, 8028, 9007, 1205, 1213, 3572])
def test_a_conflict_is_tried_again_as_a_whole(engine: Engine, code: int) -> None:
    counter(engine)
    tries = []

    def work(connection: Connection) -> int:
        tries.append(code)
        done = add_one(connection)
        if len(tries) < 3:
            raise pymysql.err.OperationalError(code, "somebody was in the way")
        return done

    assert transaction(engine, work) == 1
    assert len(tries) == 3
    assert count(engine) == 1


@on_sqlite
def test_a_conflict_that_does_not_end_is_worth_a_later_retry(engine: Engine) -> None:
    tries = []

    def work(_connection: Connection) -> None:
        tries.append(1)
        raise pymysql.err.OperationalError(9007, "Write conflict")

    with pytest.raises(StoreUnavailable, match=r"The database was busy: Write conflict \(9007\)"):
        transaction(engine, work)

    assert len(tries) == ATTEMPTS


@on_sqlite
@pytest.mark.parametrize(
    ("code", "words", "passes"),
    [
        pytest.param(9002, "TiKV server timeout", True, id="a part of the cluster is slow"),
        pytest.param(1105, "Information schema is changed", True, id="a general error that passes"),
        pytest.param(1105, "something else", False, id="a general error that does not"),
        pytest.param(1053, "Server shutdown in progress", True, id="a rolling restart"),
        pytest.param(2013, "Lost connection to MySQL server during query", True, id="a lost connection"),
        pytest.param(1064, "You have an error in your SQL syntax", False, id="a wrong statement"),
        pytest.param(8175, "Your query has been cancelled due to memory", False, id="too much for its memory"),
    ],
)
def test_anything_else_is_not_tried_again_at_once(engine: Engine, code: int, words: str, *, passes: bool) -> None:
    tries = []

    def work(_connection: Connection) -> None:
        tries.append(1)
        raise pymysql.err.OperationalError(code, words)

    with pytest.raises(StoreError, match=rf"{words} \({code}\)") as refused:
        transaction(engine, work)

    assert len(tries) == 1
    assert refused.value.retryable == passes


@on_servers
@pytest.mark.parametrize(
    ("before_commit", "words"),
    [
        pytest.param(True, "during COMMIT(.|\n)*is unknown", id="in COMMIT"),
        pytest.param(False, "cannot answer now", id="before it"),
    ],
)
def test_a_connection_that_breaks_is_not_tried_again(engine: Engine, words: str, *, before_commit: bool) -> None:
    counter(engine)
    tries = []

    def work(connection: Connection) -> None:
        tries.append(1)
        add_one(connection)
        cut_off(connection)
        if not before_commit:
            add_one(connection)

    with pytest.raises(StoreUnavailable, match=words):
        transaction(engine, work)

    assert len(tries) == 1


@pytest.mark.parametrize("happens", [True, False], ids=["it happened", "it did not"])
def test_the_unknown_outcome_of_a_commit_is_read_by_the_key(engine: Engine, *, happens: bool) -> None:
    counter(engine)

    def insert(connection: Connection) -> str:
        connection.execute(text("INSERT INTO counter VALUES (3, 1)"))
        return "inserted"

    def resolve(connection: Connection) -> str:
        there = connection.execute(text("SELECT n FROM counter WHERE id = 3")).scalar()
        return "was there" if there else insert(connection)

    with breaking_off(engine, at=1, happens=happens):
        said = transaction(engine, insert, resolve=resolve)

    assert said == ("was there" if happens else "inserted")
    assert count(engine, 3) == 1


@pytest.mark.parametrize("happens", [True, False], ids=["it happened", "it did not"])
def test_a_commit_without_an_answer_is_told_where_nothing_resolves_it(engine: Engine, *, happens: bool) -> None:
    counter(engine)
    waits: list[int] = []
    engine.update_execution_options(skene_back_off=waits.append)

    with breaking_off(engine, at=1, happens=happens), pytest.raises(CommitUnknown, match="during COMMIT"):
        transaction(engine, add_one)

    assert waits == []
    assert count(engine) == int(happens)


@pytest.mark.parametrize(
    ("tries", "least", "most"),
    [
        pytest.param(1, 0.15, 0.25, id="after one"),
        pytest.param(5, 0.759375, 0.859375, id="after five, five times as long"),
        pytest.param(20, 5.0, 5.0, id="never longer than five seconds"),
    ],
)
def test_who_was_in_the_way_is_given_more_time_after_each_try(
    tries: int, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)

    back_off(tries)

    assert least <= waited[0] <= most


def test_a_duplicate_key_is_an_answer(engine: Engine) -> None:
    counter(engine)

    with pytest.raises(IntegrityError):
        transaction(engine, lambda c: c.execute(text("INSERT INTO counter VALUES (1, 5)")))


def test_any_other_refusal_is_a_sentence_without_the_values(engine: Engine) -> None:
    counter(engine)
    insert = text("INSERT INTO counter (id, n) VALUES (3, NULLIF(:name, 'anna@example.com'))")

    with pytest.raises(StoreError, match="The database refused: ") as refused:
        transaction(engine, lambda c: c.execute(insert, {"name": "anna@example.com"}))

    assert "anna" not in str(refused.value)
    assert "INSERT" not in str(refused.value)


def counter(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO counter VALUES (1, 0), (2, 0)"))


def add_one(connection: Connection) -> int:
    return connection.execute(text("UPDATE counter SET n = n + 1 WHERE id = 1")).rowcount


def count(engine: Engine, identity: int = 1) -> int:
    with engine.connect() as connection:
        n: int = connection.execute(text("SELECT n FROM counter WHERE id = :id"), {"id": identity}).scalar_one()
        return n


def in_threads(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
