"""`skene_dagster.track`: what was told is written once; and the product never notices that it is, or is not."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from event_rows import ids, make_users, rows
from servers import Absent, MortalMariadb
from sqlalchemy import Engine, insert

from skene_dagster.audience.event import new_event
from skene_dagster.audience.events import Journal, open_journal
from skene_dagster.errors import StoreUnavailable
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine
from skene_dagster.store.keys import Key
from skene_dagster.store.tables import OPEN, events
from skene_dagster.store.user_ids import UserIds
from skene_dagster.tracking.buffer import DROPPED, UNWRITTEN, Buffer
from skene_dagster.tracking.seldom import Kind, Seldom, Tally

PATIENCE = 60.0
"""Seconds after which something that should happen did not."""

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def opener(url: str, root: Path) -> Callable[[], Journal]:
    return lambda: open_journal(load(root, {"SKENE_DATABASE_URL": url}))


@pytest.fixture
def buffer(engine: Engine, tmp_path: Path) -> Iterator[Buffer]:
    make_users(engine)
    buffer = Buffer(opener(url_of(engine), tmp_path))
    yield buffer
    buffer.close(PATIENCE)


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"mysql+pymysql://root@127.0.0.1:{server.getsockname()[1]}/db"


def away() -> Journal:
    raise StoreUnavailable("The database is away.")


def environment(url: str, root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKENE_")}
    return kept | {"SKENE_DATABASE_URL": url, "SKENE_PROJECT": str(root)}


def product(program: str, url: str, root: Path) -> "subprocess.Popen[str]":
    """Start a product that tracks; warnings are errors in it, too."""
    head = "import os, sys, time\nimport skene_dagster\nfrom skene_dagster import flush, track\n"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", head + program],
        env=environment(url, root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program: str, url: str, root: Path) -> tuple[str, str]:
    """Run a product to its good end; return what it printed, and what its log says."""
    process = product(program, url, root)
    printed, logged = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, logged
    return printed, logged


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
    assert line.startswith("2 events were refused. The last one: The user's id is not between")
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
    assert kept == "Events cannot be written (1 attempts), and are kept. The database is away."
    dropped = next(line for line in caplog.messages if "dropped" in line)
    count = int(dropped.split()[0])
    assert 100 - 10 - 4 <= count <= 100 - 10
    assert dropped == f"{count} events were dropped: more than 10 were waiting to be written."
    assert int(lost.split()[0]) == 101 - count


def test_a_kind_of_trouble_is_logged_once_a_minute_with_all_that_happened_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    seldom = Seldom(clock=lambda: now)
    for second in range(125):
        now = float(second)
        seldom.note(UNWRITTEN, 1, "It is away.")
        seldom.note(DROPPED, 1000 * (second == 60), "10")
        seldom.tell()

    assert [line.split(",")[0].split(" attempts")[0] for line in caplog.messages] == [
        "Events cannot be written (1",
        "Events cannot be written (60",
        "1",
        "Events cannot be written (60",
    ]


def test_no_count_is_lost_between_threads() -> None:
    tally = Tally()

    def count() -> None:
        for _ in range(5_000):
            tally.add("x")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    tally.add("the last")

    assert tally.news() == (20_001, "the last")
    assert tally.news() == (0, "the last")


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

    assert "events were refused" in logged
    assert "Traceback" not in logged
    assert "good" in ids(engine)


@on_sqlite
def test_a_signal_handler_may_track_while_the_product_does(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)

    run(
        "import signal\n"
        "signal.signal(signal.SIGALRM, lambda *_: track(2, 'interrupted'))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "for n in range(5_000): track(1, 'used')\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
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


@pytest.mark.parametrize("way", ["silent", "nobody", "nonsense"])
def test_a_database_that_does_not_answer_takes_no_time_of_the_product(way: str, silent: str, tmp_path: Path) -> None:
    url = {"silent": silent, "nobody": "mysql://me@127.0.0.1:1/db", "nonsense": "no URL"}[way]

    printed, logged = run(
        "slowest = 0.0\n"
        "until = time.monotonic() + 1.5\n"
        "n = 0\n"
        "while time.monotonic() < until or n < 20_000:\n"
        "    n += 1\n"
        "    started = time.monotonic()\n"
        "    track(1, 'used', {'a': 'b' * 100})\n"
        "    slowest = max(slowest, time.monotonic() - started)\n"
        "print(slowest)\n",
        url,
        tmp_path,
    )

    # A call waits for other threads and processes to yield the processor, and for nothing else.
    assert float(printed) < 1
    assert "events were dropped: more than 10,000 were waiting" in logged
    assert "events were not written before the process ended" in logged
    assert "Traceback" not in logged


def test_a_process_ends_in_time_though_the_database_is_silent(silent: str, tmp_path: Path) -> None:
    process = product("track(1, 'used')\ntime.sleep(0.1)\nprint('over', flush=True)\n", silent, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "over\n"
    started = time.monotonic()

    process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    # EXIT_SECONDS, and what a busy machine takes to end a process; PATIENCE with the database would be 10.
    assert time.monotonic() - started < 9


def test_what_was_told_while_the_database_was_dead_is_written_once_when_it_is_back(tmp_path: Path) -> None:
    try:
        server = MortalMariadb(tmp_path)
    except Absent as absent:
        pytest.skip(f"not run on MariaDB: {absent}")
    try:
        engine = open_engine(server.url)
        make_users(engine)
        buffer = Buffer(opener(server.url, tmp_path))
        buffer.put(new_event(1, "before", event_id="1"))
        assert buffer.flush(PATIENCE)
        server.kill()
        buffer.put(new_event(2, "while it was dead", event_id="2"))
        assert not buffer.flush(0.5)
        server.start()
        buffer.put(new_event(3, "after", event_id="3"))

        assert buffer.flush(PATIENCE)

        buffer.close(PATIENCE)
        assert ids(engine) == ["1", "2", "3"]
        engine.dispose()
    finally:
        server.kill()


def test_a_database_that_hangs_is_given_up_and_asked_again(
    engine: Engine, buffer: Buffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skene_dagster.audience.events.PATIENCE", 0.3)
    with engine.connect().execution_options(skene_writes=True) as other:
        other.execute(insert(events).values(event_id="1", user_id=7, name="", occurred_at=OPEN, received_at=OPEN))
        buffer.put(new_event(1, "used", event_id="1"))
        in_time = buffer.flush(1)
        other.rollback()

    assert buffer.flush(PATIENCE)
    assert not in_time
    assert [row["user_id"] for row in rows(engine)] == [1]


def test_a_forked_child_writes_its_own_events_and_its_parent_the_others(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)

    _, logged = run(
        "import warnings\n"
        # Python, 2026-11: from 3.12 on it warns of any fork beside a thread.
        "warnings.filterwarnings('ignore', category=DeprecationWarning)\n"
        "children = []\n"
        "for child in range(8):\n"
        "    for n in range(50): track(0, 'parent', event_id=f'p-{child}-{n:02}')\n"
        "    if child % 2: assert flush(60)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        for n in range(50): track(child, 'child', event_id=f'c-{child}-{n:02}')\n"
        "        if child % 3 == 0:\n"
        "            assert flush(60)\n"
        "            os._exit(0)\n"
        "        sys.exit()\n"
        "    children.append(pid)\n"
        "    for n in range(50, 100): track(0, 'parent', event_id=f'p-{child}-{n:02}')\n"
        "for pid in children: assert os.waitpid(pid, 0)[1] == 0\n",
        url_of(engine),
        tmp_path,
    )

    assert logged == ""
    assert ids(engine) == [f"c-{child}-{n:02}" for child in range(8) for n in range(50)] + [
        f"p-{child}-{n:02}" for child in range(8) for n in range(100)
    ]


def test_a_fork_in_the_midst_of_writing_leaves_both_processes_writing(silent: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)

    printed, _ = run(
        "import warnings\n"
        "warnings.filterwarnings('ignore', category=DeprecationWarning)\n"
        "track(0, 'to a silent server')\n"
        "from skene_dagster.tracking import _buffer\n"
        "while _buffer._in_hand == 0 or 'pymysql' not in sys.modules: pass\n"
        f"os.environ['SKENE_DATABASE_URL'] = {url!r}\n"
        "if os.fork() == 0:\n"
        "    track(1, 'child')\n"
        "    print(flush(60), flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "track(2, 'parent')\n"
        "print(flush(60), flush=True)\n",
        silent,
        tmp_path,
    )

    assert printed == "True\nTrue\n"
    assert sorted(row["user_id"] for row in rows(engine)) == [0, 1, 2]
    engine.dispose()


def test_what_was_flushed_survives_a_kill_and_telling_it_again_doubles_nothing(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    program = (
        "for n in range(1_000): track(1, 'used', event_id=f'a-{n:04}')\n"
        "assert flush(60)\n"
        "print('flushed', flush=True)\n"
        "for n in range(3_000): track(1, 'used', event_id=f'b-{n:04}')\n"
        "print('told', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = product(program, url_of(engine), tmp_path)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["flushed\n", "told\n"]
    deadline = time.monotonic() + PATIENCE
    while len(there := ids(engine)) == 1_000 and time.monotonic() < deadline:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    flushed = {f"a-{n:04}" for n in range(1_000)}
    others = {f"b-{n:04}" for n in range(3_000)}

    after = ids(engine)
    run(program.replace("time.sleep(60)", ""), url_of(engine), tmp_path)

    assert flushed <= set(after) <= flushed | others
    assert len(there) > 1_000
    assert ids(engine) == sorted(flushed | others)


def test_a_line_of_the_log_may_hold_braces(caplog: pytest.LogCaptureFixture) -> None:
    seldom = Seldom()
    seldom.note(Kind(logging.WARNING, "{many}: {words}"), 1, "{a} %s")
    seldom.tell()

    assert caplog.messages == ["1: {a} %s"]
