"""Whether the database is ready is asked once, however often it is probed, and answered in time."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import StaticPool

from skene_dagster.store import schema
from skene_dagster.store.schema import RELEASES
from skene_dagster.tracking.throttled_log import ThrottledLog
from skene_dagster.web import readiness
from skene_dagster.web.readiness import Readiness

NO_TABLES = "The skene_* tables are missing, or of another release."
NO_ANSWER = "The database does not answer."


def database(release: str | None) -> Engine:
    """One in memory, of a release of the tables."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    if release is not None:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE skene_schema_version (version_num TEXT)"))
            connection.execute(text("INSERT INTO skene_schema_version VALUES (:release)"), {"release": release})
    return engine


def asked(connect: Callable[[], sqlite3.Connection]) -> Readiness:
    """One that asks a database by connections of its own."""
    engine = create_engine("sqlite://", creator=connect)
    return Readiness(lambda: schema.is_ready(engine), ThrottledLog())


def refused() -> sqlite3.Connection:
    raise sqlite3.OperationalError("unable to\nopen secret")


@pytest.mark.parametrize(
    ("release", "lacking"),
    [
        pytest.param(RELEASES[-1], "", id="nothing"),
        pytest.param(None, NO_TABLES, id="tables"),
        pytest.param(RELEASES[0], NO_TABLES, id="tables of this release"),
        pytest.param("9999", NO_TABLES, id="tables of this release, for those are newer"),
    ],
)
def test_what_a_database_lacks_is_said(release: str | None, lacking: str) -> None:
    engine = database(release)

    assert asyncio.run(Readiness(lambda: schema.is_ready(engine), ThrottledLog()).lacks()) == lacking
    engine.dispose()


def test_a_database_that_is_away_is_said_to_anybody_and_why_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(asked(refused).lacks()) == NO_ANSWER

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.message.startswith("The database is not ready (1 probes). ")
    assert "unable to open secret" in record.message


@pytest.mark.parametrize(
    ("fresh", "times"), [pytest.param(60.0, 1, id="once"), pytest.param(-1.0, 3, id="each time when it is old")]
)
def test_an_answer_holds_for_a_while(fresh: float, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH", fresh)
    count = 0

    def connect() -> sqlite3.Connection:
        nonlocal count
        count += 1
        return refused()

    async def probed() -> None:
        ready = asked(connect)
        for _ in range(3):
            assert await ready.lacks() == NO_ANSWER

    asyncio.run(probed())
    assert count == times


def test_a_database_that_hangs_is_not_waited_for_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE", 0.01)
    monkeypatch.setattr(readiness, "FRESH", -1.0)
    hangs, asked_for = threading.Event(), []

    def connect() -> sqlite3.Connection:
        asked_for.append(True)
        assert hangs.wait(60)
        return refused()

    async def probed() -> None:
        ready = asked(connect)
        try:
            assert [await ready.lacks() for _ in range(3)] == [NO_ANSWER] * 3
            assert len(asked_for) == 1
        finally:
            hangs.set()

    asyncio.run(probed())
