"""A "no" that was answered with 200 is never lost, whatever becomes of the database and of who heard it."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from event_rows import make_users
from page_world import ONE_CLICK, SETTINGS, Browser, links, said, stopped
from servers import Absent, MortalMariadb
from sqlalchemy import Engine
from web_world import serving_everybody, until

from skene_dagster.consent.spool.spool import Spool
from skene_dagster.store.engine import open_engine

PEOPLE = 200


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalMariadb]:
    try:
        server = MortalMariadb(tmp_path_factory.mktemp("mortal"))
    except Absent as absent:
        pytest.skip(f"not run on MariaDB: {absent}")
    yield server
    server.kill()


@pytest.fixture
def engine(server: MortalMariadb) -> Iterator[Engine]:
    engine = open_engine(server.url)
    make_users(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def all_at_once(browser: Browser, tokens: list[str]) -> Counter[int]:
    with ThreadPoolExecutor(len(tokens)) as pool:
        return Counter(pool.map(lambda token: browser.post(token).status, tokens))


@pytest.mark.long
def test_two_hundred_are_heard_while_it_is_down_and_none_is_lost_or_doubled_by_a_kill(
    server: MortalMariadb, engine: Engine, root: Path
) -> None:
    people = range(1, 2 * PEOPLE + 1)
    tokens = links(engine, *people)
    spool = Spool(root / ".skene" / "spool")
    with serving_everybody(server.url, root) as served:
        engine.dispose()
        server.kill()
        first = all_at_once(Browser(served.port), tokens[:PEOPLE])
        served.process.send_signal(signal.SIGKILL)
        served.process.wait()
    # A line that it had begun when it was killed.
    with (spool.folder / "choices.jsonl").open("ab") as file:
        file.write(b'{"recipients": ["1:')
    waiting = spool.waiting()
    with serving_everybody(server.url, root) as served:
        browser = Browser(served.port)
        second = all_at_once(browser, tokens[PEOPLE:])
        page = browser.get(tokens[0])
        ready = browser.ask("GET", "/readyz").status
        server.start()
        until(spool.is_empty)

    assert first == second == {200: PEOPLE}
    assert waiting is not None
    assert waiting.choices == PEOPLE
    assert (page.status, page.state, ready) == (200, "", 200)
    assert "No more marketing email at all" in page.text
    assert "We cannot look up right now" in page.text
    assert Counter(one["recipient"][:2] for one in said(engine)) == {"1:": 2 * PEOPLE, "u:": 2 * PEOPLE}
    assert [user for user in people if stopped(engine, user) != {"marketing"}] == []


def acknowledged(browser: Browser, tokens: list[str], after: int, then: Callable[[], None]) -> set[int]:
    """Let all say no, a few at a time; once some were answered, let something happen. Return who was answered 200."""
    heard: set[int] = set()

    def say(number: int) -> None:
        # Whose connection breaks does not know whether they were heard.
        with suppress(OSError, HTTPException):
            if browser.post(tokens[number]).status == 200:
                heard.add(number)

    with ThreadPoolExecutor(16) as pool:
        for number in range(len(tokens)):
            pool.submit(say, number)
        until(lambda: len(heard) >= after)
        then()
    return heard


@pytest.mark.long
def test_whoever_was_answered_before_a_kill_was_heard_wherever_it_came(
    server: MortalMariadb, engine: Engine, root: Path
) -> None:
    tokens = links(engine, *range(1, 301))

    with serving_everybody(server.url, root) as served:
        with_database = acknowledged(Browser(served.port), tokens[:100], 20, served.process.kill)
        served.process.wait()
    with serving_everybody(server.url, root) as served:
        while_it_goes = acknowledged(Browser(served.port), tokens[100:200], 20, server.kill)
        engine.dispose()
        without = acknowledged(Browser(served.port), tokens[200:], 20, served.process.kill)
        served.process.wait()
    server.start()
    with serving_everybody(server.url, root):
        until(Spool(root / ".skene" / "spool").is_empty)

    assert len(while_it_goes) == 100
    for first, heard in ((1, with_database), (101, while_it_goes), (201, without)):
        assert len(heard) >= 20
        assert [user for user in heard if stopped(engine, first + user) != {"marketing"}] == []
    rows = Counter((one["recipient"], one["scope"], one["said_at"]) for one in said(engine))
    assert set(rows.values()) == {1}


def test_two_processes_keep_what_they_hear_in_one_folder(server: MortalMariadb, engine: Engine, root: Path) -> None:
    tokens = links(engine, *range(1, 61))
    with serving_everybody(server.url, root) as one, serving_everybody(server.url, root) as other:
        engine.dispose()
        server.kill()
        answers = all_at_once(Browser(one.port), tokens[:30]) + all_at_once(Browser(other.port), tokens[30:])
        server.start()
        until(Spool(root / ".skene" / "spool").is_empty)

    assert answers == {200: 60}
    assert [user for user in range(1, 61) if stopped(engine, user) != {"marketing"}] == []
    assert len(said(engine)) == 120


def test_a_database_that_hangs_holds_nobody_up_for_long(server: MortalMariadb, engine: Engine, root: Path) -> None:
    tokens = links(engine, *range(1, 21))
    with serving_everybody(server.url, root) as served:
        browser = Browser(served.port)
        before = browser.post(tokens[0]).status
        with server.hanging():
            began = time.monotonic()
            answers = all_at_once(browser, tokens[1:])
            page = browser.get(tokens[1])
            took = time.monotonic() - began
        until(lambda: Spool(root / ".skene" / "spool").is_empty())
        until(lambda: stopped(engine, 20) == {"marketing"})

    assert before == 200
    assert answers == {200: 19}
    assert page.status == 200
    # Mail programs wait for ten seconds or more.
    assert took < 9
    assert [user for user in range(1, 21) if stopped(engine, user) != {"marketing"}] == []


def test_each_button_says_what_holds_and_is_heard_later(server: MortalMariadb, engine: Engine, root: Path) -> None:
    first, second, third = links(engine, 1, 2, 3)
    with serving_everybody(server.url, root) as served:
        engine.dispose()
        server.kill()
        browser = Browser(served.port)
        none = browser.press(first, "no_marketing")
        some = browser.press(second, "save", on=("beta",))
        one = browser.press(third, "no_topic")
        back = browser.press(first, "yes_marketing")
        server.start()
        until(Spool(root / ".skene" / "spool").is_empty)

    assert [page.status for page in (none, some, one, back)] == [200] * 4
    assert none.state == "Now you get no marketing email."
    assert some.state == "Now you get: Beta programme."
    assert "No more “Tips”." in one.text
    assert [stopped(engine, user) for user in (1, 2, 3)] == [set(), {"topic:news", "topic:tips"}, {"topic:tips"}]


def test_where_the_disk_does_not_take_it_either_it_is_told_to_come_again(
    server: MortalMariadb, engine: Engine, root: Path
) -> None:
    (link,) = links(engine, 1)
    with serving_everybody(server.url, root) as served:
        browser = Browser(served.port)
        ready = browser.ask("GET", "/readyz").status
        spool = root / ".skene" / "spool"
        spool.rename(root / "moved")
        spool.touch()
        engine.dispose()
        server.kill()
        lost = browser.post(link)
        until(lambda: browser.ask("GET", "/readyz").status == 503)
        _, logged = served.stop()

    assert ready == 200
    assert (lost.status, lost.headers["retry-after"]) == (503, "60")
    assert "Not saved yet." in lost.text
    assert "were refused (503): they can be kept nowhere" in logged


def test_without_keys_it_does_not_start_while_the_database_is_down(
    server: MortalMariadb, engine: Engine, root: Path
) -> None:
    engine.dispose()
    server.kill()

    with pytest.raises(RuntimeError, match="error"), serving_everybody(server.url, root):
        pass


def test_a_wrong_link_is_a_wrong_link_without_a_database_too(server: MortalMariadb, engine: Engine, root: Path) -> None:
    (link,) = links(engine, 1)
    with serving_everybody(server.url, root) as served:
        engine.dispose()
        server.kill()
        browser = Browser(served.port)
        wrong = browser.post(link[:-2], ONE_CLICK)

    assert wrong.status == 404
