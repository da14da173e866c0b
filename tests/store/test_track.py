"""`skene_dagster.track`: what was told is written once; and the product never notices that it is, or is not."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from event_rows import ids, make_users, rows
from sqlalchemy import Engine
from tracking_world import PATIENCE, opener, product, run, url_of

from skene_dagster.behaviour.event import new_event
from skene_dagster.behaviour.events import Journal
from skene_dagster.behaviour.user_ids import UserIds
from skene_dagster.errors import StoreUnavailable
from skene_dagster.store.engine import open_engine
from skene_dagster.store.keys import Key
from skene_dagster.tracking.buffer import Buffer

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def buffer(engine: Engine, tmp_path: Path) -> Iterator[Buffer]:
    make_users(engine)
    buffer = Buffer(opener(url_of(engine), tmp_path))
    yield buffer
    buffer.close(PATIENCE)


def away() -> Journal:
    raise StoreUnavailable("The database is away.")


def test_what_was_told_is_in_the_database_after_a_flush(engine: Engine, buffer: Buffer) -> None:
    for n in range(1_200):
        buffer.put(new_event(n, "used", {"n": n}, event_id=f"e-{n:04}"))

    assert buffer.flush(PATIENCE)
    assert [(row["user_id"], json.loads(row["properties"])) for row in rows(engine)] == [
        (n, {"n": n}) for n in range(1_200)
    ]


def test_what_was_told_is_written_without_a_flush(engine: Engine, buffer: Buffer) -> None:
    buffer.put(new_event(7, "used"))

    deadline = time.monotonic() + PATIENCE
    while not rows(engine):
        assert time.monotonic() < deadline


def test_many_threads_tell_and_nothing_is_lost_or_doubled(engine: Engine, buffer: Buffer) -> None:
    def tell(thread: int) -> None:
        for n in range(500):
            buffer.put(new_event(n, "used", event_id=f"{thread}-{n:03}"))

    threads = [threading.Thread(target=tell, args=(thread,)) for thread in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert buffer.flush(PATIENCE)
    assert ids(engine) == [f"{thread}-{n:03}" for thread in range(8) for n in range(500)]


def test_who_fits_no_user_is_refused_in_the_log_and_holds_up_nobody(
    engine: Engine, buffer: Buffer, caplog: pytest.LogCaptureFixture
) -> None:
    for n, user in enumerate([1, "ada@example.com", 2, 2**70, 3]):
        buffer.put(new_event(user, "used", event_id=f"e-{n}"))

    assert buffer.flush(PATIENCE)
    buffer.close(PATIENCE)
    assert [row["user_id"] for row in rows(engine)] == [1, 2, 3]
    (line,) = caplog.messages
    assert line.startswith("Events refused: 2. The last one: The user's id is not between")
    assert "ada" not in caplog.text


def test_events_are_kept_while_the_database_is_away_and_dropped_when_too_many_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    buffer = Buffer(away, limit=10, batch=4)
    buffer.put(new_event(0, "used"))
    assert not buffer.flush(0.01)

    for n in range(100):
        buffer.put(new_event(n, "used"))
    buffer.close(0.01)

    kept, lost = caplog.messages[0], caplog.messages[-1]
    assert kept == "Events cannot be written (1 attempts); they are kept. The database is away."
    dropped = next(line for line in caplog.messages if "dropped" in line)
    count = int(dropped.split()[0])
    assert 100 - 10 - 4 <= count <= 100 - 10
    assert dropped == f"{count} events were dropped: more than 10 were waiting to be written."
    assert int(lost.split()[0]) == 101 - count


def test_a_log_that_raises_stops_nothing(engine: Engine, buffer: Buffer) -> None:
    class Broken(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            raise OSError

    handler = Broken()
    log = logging.getLogger("skene_dagster")
    log.addHandler(handler)
    try:
        buffer.put(new_event("nobody", "used"))
        assert buffer.flush(PATIENCE)
        buffer.put(new_event(7, "used"))
        assert buffer.flush(PATIENCE)
    finally:
        log.removeHandler(handler)

    assert len(rows(engine)) == 1


def test_an_event_of_now_happened_when_the_databases_clock_says_so(tmp_path: Path) -> None:
    ahead = timedelta(hours=3)
    engine = open_engine(f"sqlite:///{tmp_path / 'skene.db'}")
    clock = lambda: datetime.now(timezone.utc).replace(tzinfo=None) + ahead  # noqa: E731
    journal = Journal(engine, clock, UserIds.of(Key("bigint", is_integer=True), sqlite=True))
    at = datetime.now(timezone.utc)

    of_now, said = new_event(7, "used"), new_event(7, "used", at=at)

    now = journal.now()
    assert abs(journal.fit(of_now, now).occurred_at - now) < timedelta(seconds=5)
    assert journal.fit(said, now).occurred_at == at.replace(tzinfo=None)


def test_the_end_of_the_process_writes_what_was_told(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)

    printed, logged = run(
        "import atexit\n"
        "atexit.register(lambda: track(3, 'ended', event_id='3'))\n"
        "track(1, 'began', {'a': 1}, event_id='1')\n"
        "track(2, 'went on', event_id='2')\n",
        url_of(engine),
        tmp_path,
    )

    assert (printed, logged) == ("", "")
    assert ids(engine) == ["1", "2", "3"]


def test_a_product_that_fails_still_writes_what_it_told(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)

    process = product("track(1, 'began')\nraise ZeroDivisionError\n", url_of(engine), tmp_path)
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    assert len(rows(engine)) == 1


@on_sqlite
def test_nothing_that_is_told_raises(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)

    _, logged = run(
        "class Odd:\n"
        "    def __getattribute__(self, name): raise OSError\n"
        "deep = {}\n"
        "for _ in range(100_000): deep = {'a': deep}\n"
        "loop = {}\n"
        "loop['a'] = loop\n"
        "class Text(str):\n"
        "    def __len__(self): raise OSError\n"
        "odd = [None, Odd(), object(), 1.5, float('nan'), b'', '', '\\ud800', [], {}]\n"
        "odd += [loop, deep, 2**5000, 'x' * 10**6, Text('7')]\n"
        "for one in odd:\n"
        "    track(one, 'used')\n"
        "    track(1, one)\n"
        "    track(1, 'used', one)\n"
        "    track(1, 'used', {'a': one})\n"
        "    track(1, 'used', at=one)\n"
        "    track(1, 'used', event_id=one)\n"
        "track(1, 'used', event_id='good')\n",
        url_of(engine),
        tmp_path,
    )

    assert "Events refused: " in logged
    assert "Traceback" not in logged
    assert "good" in ids(engine)


@on_sqlite
def test_a_signal_handler_may_track_while_the_product_does(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)

    run(
        "import signal\n"
        "signal.signal(signal.SIGVTALRM, lambda *_: track(2, 'interrupted'))\n"
        # By the processor's time: by the clock, a busy machine would do nothing but interrupt.
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)\n"
        "for n in range(5_000): track(1, 'used')\n"
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0)\n"
        "assert flush(60)\n",
        url_of(engine),
        tmp_path,
    )

    assert [row["user_id"] for row in rows(engine)].count(1) == 5_000


def test_importing_it_costs_no_database(tmp_path: Path) -> None:
    printed, _ = run(
        "print(sorted({'sqlalchemy', 'pydantic', 'dagster', 'pymysql'} & set(sys.modules)))\n", "", tmp_path
    )

    assert printed == "[]\n"
