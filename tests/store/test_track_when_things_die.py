"""Whatever hangs, dies or forks: the product goes on, and what it told is written once."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_rows import ids, make_users, rows
from servers import Absent, MortalMariadb
from sqlalchemy import Engine, insert
from tracking_world import PATIENCE, opener, product, run, url_of

from skene_dagster.behaviour.event import new_event
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import OPEN, events
from skene_dagster.tracking.buffer import Buffer


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"mysql+pymysql://root@127.0.0.1:{server.getsockname()[1]}/db"


@pytest.mark.long
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


@pytest.mark.long
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
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skene_dagster.behaviour.events.PATIENCE", 0.3)
    make_users(engine)
    buffer = Buffer(opener(url_of(engine), tmp_path))
    with engine.connect().execution_options(skene_writes=True) as other:
        other.execute(insert(events).values(event_id="1", user_id=7, name="", occurred_at=OPEN, received_at=OPEN))
        buffer.put(new_event(1, "used", event_id="1"))
        in_time = buffer.flush(1)
        other.rollback()

    written = buffer.flush(PATIENCE)

    buffer.close(PATIENCE)
    assert (in_time, written) == (False, True)
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
