"""What waits while a transaction is on its way goes into the next; each request hears what became of its events."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

import pytest
from scripted_journal import PATIENCE, ScriptedJournal, fitted

from skene_dagster.errors import StoreUnavailable
from skene_dagster.tracking.throttled_log import ThrottledLog
from skene_dagster.web import commits
from skene_dagster.web.commits import Commits, Refused
from skene_dagster.web.limits import Limits
from skene_dagster.web.refusals import Refusal


class World:
    """The writer, and requests beside each other."""

    def __init__(self, limits: Limits) -> None:
        self.journal = ScriptedJournal()
        self.commits = Commits(self.journal.store, limits, ThrottledLog(), away="Send it again.")

    async def ask(self, *ids: str) -> "asyncio.Task[Refused]":
        """Begin a request, and let it come as far as it can."""
        asked = asyncio.create_task(self.commits.commit(fitted(*ids)))
        await asyncio.sleep(0)
        return asked

    async def begun(self) -> None:
        """Wait until a transaction is on its way."""
        assert await asyncio.to_thread(self.journal.begun.acquire, timeout=PATIENCE)


def run(story: Callable[[World], Awaitable[None]], limits: Limits | None = None) -> World:
    """Let a story happen, and end the writer."""

    before = set(threading.enumerate())

    async def told() -> World:
        world = World(limits or Limits())
        await story(world)
        world.journal.may.release(100)
        await world.commits.close()
        return world

    world = asyncio.run(told())
    assert not [one for one in {*threading.enumerate()} - before if one.name == "skene_dagster.web"]
    return world


async def status(asked: "asyncio.Task[Refused]") -> int:
    with pytest.raises(Refusal) as refused:
        await asked
    return refused.value.status


def test_what_waits_while_a_transaction_is_on_its_way_goes_into_the_next() -> None:
    async def story(world: World) -> None:
        asked = [await world.ask("a")]
        await world.begun()
        asked += [await world.ask(*ids) for ids in ("bc", "d")]
        world.journal.may.release(2)
        assert await asyncio.gather(*asked) == [{}, {}, {}]

    assert run(story).journal.transactions == [["a"], ["b", "c", "d"]]


def test_a_transaction_has_so_many_events_at_most_but_for_those_of_its_last_request() -> None:
    async def story(world: World) -> None:
        asked = [await world.ask("a")]
        await world.begun()
        asked += [await world.ask(*ids) for ids in ("bc", "de", "fgh", "i")]
        world.journal.may.release(5)
        await asyncio.gather(*asked)

    assert run(story, Limits(commit_events=3)).journal.transactions == [
        ["a"], ["b", "c", "d", "e"], ["f", "g", "h"], ["i"],
    ]  # fmt: skip


def test_each_request_hears_which_of_its_own_events_were_refused() -> None:
    async def story(world: World) -> None:
        first = await world.ask("a")
        await world.begun()
        asked = [await world.ask(*ids) for ids in ("bc", "d", "efg", "h")]
        world.journal.refuses = {"c", "d", "e", "g"}
        world.journal.may.release(2)
        answers = await asyncio.gather(first, *asked)
        assert [{place: str(why) for place, why in answer.items()} for answer in answers] == [
            {},
            {1: "It refuses c."},
            {0: "It refuses d."},
            {0: "It refuses e.", 2: "It refuses g."},
            {},
        ]

    run(story)


def test_so_many_events_may_wait_and_there_is_room_again_when_they_are_answered() -> None:
    async def story(world: World) -> None:
        waiting = [await world.ask("a"), await world.ask("b", "c")]
        assert await status(await world.ask("d")) == 429
        world.journal.may.release(4)
        await asyncio.gather(*waiting)
        await asyncio.gather(await world.ask("e", "f"), await world.ask("g"))
        assert await status(await world.ask(*"hijk")) == 429

    run(story, Limits(waiting_events=3))


def test_where_the_database_is_away_all_who_wait_are_told_at_once_and_later_ones_are_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(world: World) -> None:
        asked = [await world.ask("a")]
        await world.begun()
        asked += [await world.ask(*ids) for ids in ("bcd", "e")]
        world.journal.wrong = [StoreUnavailable("It is\naway.")]
        world.journal.may.release(3)
        assert [await status(one) for one in asked] == [503, 503, 503]
        assert await (await world.ask("f")) == {}
        assert await (await world.ask(*"ghijk")) == {}

    world = run(story, Limits(commit_events=2, waiting_events=5))

    assert world.journal.transactions[:2] == [["a"], ["f"]]
    assert caplog.messages == ["Requests answered with 503, because nothing can be written: 3. It is away."]
    assert caplog.records[0].levelno == logging.ERROR


def test_what_nobody_foresaw_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: World) -> None:
        world.journal.wrong = [ZeroDivisionError("odd")]
        world.journal.may.release(2)
        assert await status(await world.ask("a")) == 503
        assert await (await world.ask("b")) == {}

    run(story)

    (record,) = caplog.records
    assert record.message == "Events could not be written, for an unexpected reason."
    assert record.exc_info is not None


def test_who_has_waited_long_enough_is_told_that_nobody_knows_and_their_events_still_count() -> None:
    async def story(world: World) -> None:
        late = await world.ask("a")
        await world.begun()
        assert await status(late) == 503
        assert await status(await world.ask("b")) == 429
        world.journal.may.release(2)
        while await status_or_none(world, "c") == 429:
            pass

    world = run(story, Limits(answer_seconds=0.01, waiting_events=1))

    assert world.journal.transactions[0] == ["a"]


async def status_or_none(world: World, *ids: str) -> int | None:
    try:
        await (await world.ask(*ids))
    except Refusal as refused:
        return refused.status
    return None


def test_the_end_commits_what_waits_and_asks_the_database_for_nothing_more() -> None:
    async def story(world: World) -> None:
        asked = [await world.ask("a")]
        await world.begun()
        asked += [await world.ask("b"), await world.ask("c")]
        (thread,) = (one for one in threading.enumerate() if one.name == "skene_dagster.web")
        assert thread.daemon, "it holds up no process that ends otherwise"
        closing = asyncio.create_task(world.commits.close())
        await asyncio.sleep(0)
        world.journal.may.release(2)
        await closing
        assert await asyncio.gather(*asked) == [{}, {}, {}]

    assert run(story).journal.transactions == [["a"], ["b", "c"]]
    assert run(_nothing).journal.transactions == []


async def _nothing(_: World) -> None:
    pass


def test_a_database_that_is_away_at_the_end_keeps_nothing_going() -> None:
    async def story(world: World) -> None:
        asked = await world.ask("a")
        await world.begun()
        world.journal.wrong = [StoreUnavailable("It is away.")]
        closing = asyncio.create_task(world.commits.close())
        await asyncio.sleep(0)
        world.journal.may.release()
        await closing
        assert await status(asked) == 503

    run(story)


def test_a_database_that_hangs_is_not_waited_for_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        asked = await world.ask("a")
        await world.begun()
        monkeypatch.setattr(commits, "CLOSE_SECONDS", 0.01)
        await world.commits.close()
        assert not asked.done()
        monkeypatch.undo()

    run(story)
