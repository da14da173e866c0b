"""200 means committed: whatever dies, hangs or is too much, what was answered with 200 is there, and once."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from event_rows import make_users
from servers import Absent, MortalMariadb
from sqlalchemy import Engine, insert
from web_world import HERE, KEY, PATIENCE, Answer, Client, Served, message_ids, serving, until

from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import OPEN, events
from skene_dagster.web.events.segment import event_of


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@contextmanager
def held_up(engine: Engine) -> Iterator[Callable[[], None]]:
    """Let nobody commit the event `held` until the function that this yields is called."""
    held = event_of({"userId": 7, "event": "used", "messageId": "held"}, sent_at=None, received=OPEN, type_="track")
    assert held is not None
    with engine.connect().execution_options(skene_writes=True) as other:
        values = {"user_id": 7, "name": "", "occurred_at": OPEN, "received_at": OPEN}
        other.execute(insert(events).values(event_id=held.event_id, **values))
        yield other.rollback


@contextmanager
def in_background(*calls: Callable[[], Answer]) -> Iterator[list["Future[Answer]"]]:
    with ThreadPoolExecutor(len(calls)) as pool:
        yield [pool.submit(call) for call in calls]


def test_a_commit_that_takes_too_long_is_answered_with_503_and_may_be_sent_again(
    engine: Engine, tmp_path: Path
) -> None:
    make_users(engine)
    with serving(url_of(engine), tmp_path, answer_seconds=0.5) as served:
        with held_up(engine):
            late = served.track(messageId="held")
        again = served.track(messageId="held")

    assert (late.status, late.headers["retry-after"], again.status) == (503, "5", 200)
    assert message_ids(engine) == ["held"]


def test_what_waits_beyond_the_limit_is_told_to_come_again(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    with (
        serving(url_of(engine), tmp_path, waiting_events=3) as served,
        held_up(engine) as release,
        in_background(*[lambda: served.track(messageId="held")] * 5) as asked,
    ):
        until(lambda: sum(one.done() for one in asked) == 2)
        refused = [one.result() for one in asked if one.done()]
        release()
        answers = sorted(one.result(PATIENCE).status for one in asked)

    assert [(one.status, one.headers["retry-after"]) for one in refused] == [(429, "1")] * 2
    assert answers == [200, 200, 200, 429, 429]
    assert message_ids(engine) == ["held"]


@contextmanager
def on_sqlite(root: Path, **limits: float) -> Iterator[tuple[Served, Engine]]:
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    with serving(url, root, **limits) as served:
        yield served, engine
    engine.dispose()


def begun(served: Client, length: int = 100) -> socket.socket:
    """Begin a request whose body never comes."""
    client = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
    client.sendall(f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + b"x" * 50)
    return client


def test_more_requests_than_are_worked_on_at_a_time_are_told_to_come_again(tmp_path: Path) -> None:
    with on_sqlite(tmp_path, requests=2) as (served, _):
        unfinished = [begun(served) for _ in range(2)]
        until(lambda: served.track().status == 429)
        alive = served.get("/healthz")
        for client in unfinished:
            client.close()

        until(lambda: served.track().status == 200)

    assert alive.status == 200


def test_bodies_that_are_too_large_together_are_told_to_come_again(tmp_path: Path) -> None:
    with on_sqlite(tmp_path, body_bytes=100_000) as (served, _):
        with begun(served, 400_000) as client:
            client.sendall(b"x" * 99_940)
            until(lambda: served.track().status == 429)

        until(lambda: served.track().status == 200)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[MortalMariadb]:
    try:
        server = MortalMariadb(tmp_path)
    except Absent as absent:
        pytest.skip(f"not run on MariaDB: {absent}")
    yield server
    server.kill()


@pytest.mark.long
def test_no_200_is_lost_when_the_database_dies_and_nothing_is_doubled(mortal: MortalMariadb, tmp_path: Path) -> None:
    engine = open_engine(mortal.url)
    make_users(engine)
    taken: set[str] = set()
    statuses: set[int] = set()
    over = threading.Event()

    def tell(served: Client, client: int) -> None:
        """Send each event until it is taken, as Segment's libraries do."""
        number = 0
        while not over.is_set():
            status = served.track(messageId=f"{client}-{number}").status
            statuses.add(status)
            if status == 200:
                taken.add(f"{client}-{number}")
                number += 1

    with serving(mortal.url, tmp_path) as served:
        threads = [threading.Thread(target=tell, args=(served, client)) for client in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            so_far = len(taken)
            until(lambda before=so_far: len(taken) > before + 50)  # type: ignore[misc]
            mortal.kill()
            statuses.clear()
            until(lambda: 503 in statuses)
            probes = [served.get(path).status for path in ("/healthz", "/readyz")]
            assert probes == [200, 503]
            mortal.start()
        so_far = len(taken)
        until(lambda: len(taken) > so_far + 50)
        until(lambda: served.get("/readyz").status == 200)
        over.set()
        for thread in threads:
            thread.join()
        status, logged = served.stop()

    assert status == 0
    assert message_ids(engine) == sorted(set(message_ids(engine)))
    assert taken <= set(message_ids(engine))
    assert "Requests answered with 503, because nothing can be written: " in logged
    assert "Traceback" not in logged
    engine.dispose()


@pytest.mark.long
def test_it_ends_at_the_first_sigterm_while_the_database_hangs_and_says_that_nobody_knows(
    mortal: MortalMariadb, tmp_path: Path
) -> None:
    engine = open_engine(mortal.url)
    make_users(engine)
    with serving(mortal.url, tmp_path, answer_seconds=2) as served:
        assert served.track(messageId="before").status == 200
        with mortal.hanging(), in_background(lambda: served.track(messageId="held")) as (held,):
            until(lambda: served.get("/readyz").status == 503)
            status, logged = served.stop()
            answer = held.result(PATIENCE)

    assert (answer.status, answer.body["code"], status) == (503, "unavailable", 0)
    assert "Traceback" not in logged
    with serving(mortal.url, tmp_path) as served:
        assert served.track(messageId="held").status == 200
    assert message_ids(engine) == ["before", "held"]
    engine.dispose()


@pytest.mark.long
def test_what_was_answered_survives_a_kill_of_the_process(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    taken = []
    with serving(url_of(engine), tmp_path) as served:
        killer = threading.Timer(1, served.process.kill)
        killer.start()
        number = 0
        while True:
            try:
                taken += [f"{number:05}"] if served.track(messageId=f"{number:05}").status == 200 else []
            except (OSError, http.client.HTTPException):
                break
            number += 1
        killer.join()

    with serving(url_of(engine), tmp_path) as served:
        again = {served.track(messageId=one).status for one in [*taken[-20:], f"{number:05}"]}

    assert taken
    assert again == {200}
    assert message_ids(engine) == [*taken, f"{number:05}"]


def test_the_end_waits_for_what_is_being_written_and_takes_nothing_more(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    with serving(url_of(engine), tmp_path, requests=1) as served:

        def tell() -> Answer:
            while (answer := served.track(messageId="held")).status == 429:
                pass
            return answer

        with held_up(engine) as release, in_background(tell) as (last,):
            # It is being worked on: there is no room for another.
            until(lambda: served.post("/v1/identify", {"userId": 7}).status == 429)
            served.process.terminate()
            until(lambda: not _connects(served))
            release()
            answer = last.result(PATIENCE)
        status, logged = served.ended()

    assert (answer.status, status, logged) == (200, 0, "")
    assert message_ids(engine) == ["held"]


def _connects(served: Served) -> bool:
    try:
        socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def test_segments_own_client_is_understood_and_its_retries_double_nothing(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    with serving(url_of(engine), tmp_path) as served:
        done = subprocess.run(
            [sys.executable, str(HERE / "segment_client.py"), str(served.port), KEY],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )

    seen = json.loads(done.stdout)
    assert seen["errors"] == []
    # As many messages arrived again as there were in the batches whose answers were lost.
    assert seen["passed_on"] > len(seen["sent"])
    assert message_ids(engine) == sorted(seen["sent"])
