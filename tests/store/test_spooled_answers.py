"""What recipients said while the database was away is heard before anybody is decided about, rendered or mailed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from delivery_world import LIVE, Script, World, lose_the_answer, make_world
from sqlalchemy import Engine, func, select

from skene_dagster.consent.preferences import Said
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.spool.choices import Choices
from skene_dagster.consent.spool.draining import drain
from skene_dagster.consent.spool.locks import locked
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.suppressions import held
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.base import Answer, Later, Throttled
from skene_dagster.errors import SpoolError
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import preferences


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def names_of(world: World, user: int) -> tuple[str, ...]:
    return reading(world.engine, lambda c: Recipients.of(c).of_user(user, f"u{user}@example.com"))


def says_no(world: World, user: int) -> Callable[[], None]:
    """Prepare a "no" that the serving process keeps on disk."""
    names = names_of(world, user)

    def say() -> None:
        choices = Choices(names, (("no", "marketing"),), Said(world.now, "one click", None))
        Spool(world.settings.spool).add([choices])

    return say


def unreadable(world: World) -> None:
    world.settings.spool.parent.mkdir(parents=True, exist_ok=True)
    world.settings.spool.touch()


def test_whoever_said_no_is_not_decided_to_be_mailed(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    says_no(world, 1)()

    world.reserve(LIVE)
    world.deliver(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}
    assert Spool(world.settings.spool).is_empty()


def test_whoever_says_no_while_a_tick_decides_is_heard_at_its_next_page(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    say = says_no(world, 2)

    world.reserve(LIVE, progress=lambda _: say(), page=1)

    assert world.states() == {1: "reserved", 2: "skipped:said_no"}


def test_whoever_said_no_after_the_decision_is_not_rendered(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    says_no(world, 1)()

    world.deliver(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}
    assert world.provider.mailed == ["u2@example.com"]


def test_whoever_said_no_after_it_was_rendered_is_not_sent_it(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    say = says_no(world, 1)

    def throttle(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        say()
        return Later(60, "later")

    world.provider.answers.append(throttle)
    world.deliver(LIVE)
    world.days_pass(0.002)
    world.deliver(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}
    assert world.provider.mailed == ["u2@example.com"]


def test_whoever_said_no_while_a_run_waited_for_the_provider_is_not_sent_it(world: World) -> None:
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    say = says_no(world, 1)

    def throttle(_provider: Script, _messages: Sequence[Message], _key: str) -> Answer:
        say()
        return Throttled(1, "busy")

    world.provider.answers.append(throttle)
    world.deliver(LIVE)

    assert world.states() == {1: "skipped:said_no", 2: "accepted"}
    assert world.provider.mailed == ["u2@example.com"]


def test_while_it_cannot_be_read_nobody_is_decided_about_and_it_says_why(world: World) -> None:
    world.add(1)
    world.refresh()
    unreadable(world)

    with pytest.raises(SpoolError, match=r"What recipients answered may wait in .*spool, which cannot be read"):
        world.reserve(LIVE)

    assert world.states() == {}


def test_while_it_cannot_be_read_nothing_is_sent_and_no_batch_is_put_off_for_it(world: World) -> None:
    world.add(1)
    world.refresh()
    world.reserve(LIVE)
    unreadable(world)

    with pytest.raises(SpoolError):
        world.deliver(LIVE)
    world.settings.spool.unlink()
    after = world.deliver(LIVE)

    assert world.provider.mailed == ["u1@example.com"]
    assert after.counts == {"accepted": 1}


def test_what_is_repeated_under_its_key_waits_for_it_as_well(world: World) -> None:
    world.add(1)
    world.tick_without_answer(lose_the_answer, lose_the_answer, lose_the_answer)
    unreadable(world)
    world.days_pass(0.01)

    with pytest.raises(SpoolError):
        world.deliver(LIVE)


def test_a_process_that_does_not_come_to_an_end_with_it_is_told(world: World) -> None:
    says_no(world, 1)()
    spool = Spool(world.settings.spool)

    with locked(spool.folder / "drain.lock"), pytest.raises(SpoolError, match="Another process has been writing"):
        drain(world.engine, spool, world.clock, patience=0)


def test_a_process_that_dies_while_it_drains_leaves_it_to_the_next_and_nothing_is_there_twice(world: World) -> None:
    says_no(world, 1)()
    says_no(world, 2)()
    spool = Spool(world.settings.spool)
    kept = (spool.folder / "choices.jsonl").read_bytes()

    drain(world.engine, spool, world.clock)
    # It died after the commit, and before the file was deleted.
    (spool.folder / "draining.jsonl").write_bytes(kept)
    world.now = world.now.replace(hour=10)
    drain(world.engine, spool, world.clock)

    assert spool.is_empty()
    with world.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(preferences)).scalar_one() == 4
        for user in (1, 2):
            names = Recipients.of(connection).of_user(user, f"u{user}@example.com")
            assert held(connection, names, ["marketing"], world.now) == {"marketing"}


def test_a_yes_that_is_written_late_lifts_what_was_before_it_and_nothing_after_it(world: World) -> None:
    names = names_of(world, 1)
    spool = Spool(world.settings.spool)
    at = [world.now.replace(minute=minute) for minute in range(4)]

    def said(answer: str, minute: int) -> Choices:
        return Choices(names, ((answer, "topic:tips"),), Said(at[minute], "page", None))  # type: ignore[arg-type]

    world.now = at[3]
    spool.add([said("no", 0)])
    drain(world.engine, spool, world.clock)
    spool.add([said("no", 2)])
    drain(world.engine, spool, world.clock)
    spool.add([said("yes", 1)])
    drain(world.engine, spool, world.clock)

    scopes = reading(world.engine, lambda c: held(c, names, ["topic:tips"], world.now))
    assert scopes == {"topic:tips"}

    spool.add([said("yes", 3)])
    world.now = at[3].replace(second=1)
    drain(world.engine, spool, world.clock)

    assert reading(world.engine, lambda c: held(c, names, ["topic:tips"], world.now)) == set()
