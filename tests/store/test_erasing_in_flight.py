"""Who is erased while their mail is in flight gets none that can still be stopped, and is named nowhere at its end."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from broken_commits import breaking_off
from delivery_world import LIVE, OUTBOX, Script, World, lose_the_answer, make_world, never_arrive
from erased_world import ADDRESS, ERIKA, OTHER, erased, known, reserved, resumed, send_ids, traces
from sqlalchemy import Connection, Engine, insert
from usage_world import Died as DiedAtCommit
from usage_world import dying

from skene_dagster.consent import erasures
from skene_dagster.delivery import ledger
from skene_dagster.delivery.doubts import Verdict, doubts, settle_doubt
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.base import Absent, Answer, Fatal, Found, Refused, Throttled
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.erasing.waiting import go_on
from skene_dagster.errors import ProviderFatal, ProviderUnavailable
from skene_dagster.store.engine import is_sqlite, transaction
from skene_dagster.store.tables import steps

DAY = timedelta(days=1)
OTHERS = f"u{OTHER}@example.com"


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def bytes_of_requests(world: World) -> list[tuple[str, ...]]:
    """To whom each request was, whatever became of it."""
    return [tuple(message.to for message in messages) for _, messages in world.provider.tried]


def unanswered(world: World) -> list[str]:
    """A request for both has got no answer; return the ids of their sends."""
    reserved(world)
    ids = send_ids(world)
    world.provider.answers.append(never_arrive)
    with pytest.raises(ProviderUnavailable):
        world.deliver(LIVE)
    return ids


def outcomes(world: World) -> list[str]:
    return sorted(world.states().values())


def test_what_is_reserved_is_not_sent(world: World) -> None:
    reserved(world)
    ids = send_ids(world)

    done = erased(world)
    world.deliver(LIVE)

    assert world.provider.mailed == [OTHERS]
    assert outcomes(world) == ["accepted", "skipped:erased"]
    assert done.waits_until is None
    assert traces(world.engine, ADDRESS, *ids) == []


def test_what_is_frozen_is_made_anew_without_them(world: World) -> None:
    reserved(world)
    ids = send_ids(world)
    world.provider.answers.append(lambda *_: Fatal(f"{ADDRESS}: the API key is not valid"))
    with pytest.raises(ProviderFatal):
        world.deliver(LIVE)
    assert any("payload" in one for one in traces(world.engine))

    done = erased(world)
    assert traces(world.engine, ADDRESS, *ids) == []
    world.deliver(LIVE)

    (first, _), (second, _) = world.provider.tried
    assert first != second
    assert world.provider.mailed == [OTHERS]
    assert outcomes(world) == ["accepted", "skipped:erased"]
    assert done.waits_until is None


def test_what_may_have_been_sent_is_repeated_as_it_was_and_then_forgotten(world: World) -> None:
    ids = unanswered(world)

    done = erased(world)
    assert done.waits_until == world.now + 7 * DAY
    assert {one.partition(":")[0] for one in traces(world.engine, *ids)} == {
        "skene_batches.payload",
        "skene_batches.send_ids",
        "skene_sends.send_id",
    }
    world.now += timedelta(minutes=10)
    world.deliver(LIVE)
    went_on = resumed(world)

    first, second = world.provider.tried
    assert first == second
    assert outcomes(world) == ["accepted", "accepted"]
    assert (went_on.finished, went_on.waiting) == (1, 0)
    assert traces(world.engine, ADDRESS, *ids) == []


def test_what_was_accepted_before_its_process_died_is_settled_and_then_forgotten(world: World) -> None:
    reserved(world)
    ids = send_ids(world)

    def die(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        provider.accept(messages, key)
        raise Died

    world.provider.answers.append(die)
    with suppress(Died):
        world.deliver(LIVE)
    erased(world)
    world.now += timedelta(minutes=10)

    world.deliver(LIVE)
    resumed(world)

    assert sorted(world.provider.mailed) == [OTHERS, ADDRESS]
    assert outcomes(world) == ["accepted", "accepted"]
    assert traces(world.engine, ADDRESS, *ids) == []


@pytest.mark.parametrize("answer", [None, lose_the_answer, never_arrive])
def test_whoever_is_erased_while_the_request_is_under_way_is_forgotten_once_it_is_settled(
    world: World, answer: Callable[..., Answer] | None
) -> None:
    reserved(world)
    ids = send_ids(world)

    def meanwhile(provider: Script, messages: Sequence[Message], key: str) -> Answer:
        erased(world)
        return provider.accept(messages, key) if answer is None else answer(provider, messages, key)

    world.provider.answers.append(meanwhile)
    with suppress(ProviderUnavailable):
        world.deliver(LIVE)
    world.now += timedelta(minutes=10)
    world.deliver(LIVE)
    resumed(world)

    assert len(world.provider.accepted) == 1
    assert outcomes(world) == ["accepted", "accepted"]
    assert traces(world.engine, ADDRESS, *ids) == []


@pytest.mark.parametrize(
    "definite",
    [
        pytest.param(lambda *_: Throttled(1.0, "too many requests"), id="throttled"),
        pytest.param(lambda *_: Refused("an address is bad"), id="refused"),
    ],
)
def test_once_the_provider_has_none_of_it_for_certain_they_are_left_out(
    world: World, definite: Callable[..., Answer]
) -> None:
    reserved(world)
    ids = send_ids(world)

    def meanwhile(*given: object) -> Answer:
        erased(world)
        return definite(*given)

    world.provider.answers.append(meanwhile)
    with suppress(ProviderUnavailable):
        world.deliver(LIVE)
    world.now += timedelta(minutes=10)
    world.deliver(LIVE)
    resumed(world)

    assert bytes_of_requests(world) == [(OTHERS, ADDRESS), (OTHERS,)]
    assert traces(world.engine, ADDRESS, *ids) == []


def test_what_is_proved_absent_is_made_anew_without_them(world: World) -> None:
    ids = unanswered(world)
    erased(world)
    world.provider.found = Absent()
    world.now += DAY
    for _ in range(4):
        reconcile(world.session(LIVE), [world.plan])
        world.now += timedelta(minutes=10)
    resumed(world)

    assert bytes_of_requests(world) == [(OTHERS, ADDRESS), (OTHERS,)]
    assert traces(world.engine, ADDRESS, *ids) == []


@pytest.mark.parametrize("is_found", [True, False])
def test_what_stays_in_doubt_keeps_its_bytes_until_it_is_found_or_a_week_is_over(
    world: World, *, is_found: bool
) -> None:
    ids = unanswered(world)
    erased(world)
    world.now += DAY
    reconcile(world.session(LIVE), [world.plan])
    assert world.batch_states() == {"in_doubt": 1}
    assert outcomes(world) == ["in_doubt:no_answer", "in_doubt:no_answer"]
    world.now += 5 * DAY
    assert (resumed(world).waiting, resumed(world).finished) == (1, 0)
    assert any("payload" in one for one in traces(world.engine))

    world.now += DAY if is_found else 2 * DAY
    if is_found:
        world.provider.found = Found(("a", "b"))
        reconcile(world.session(LIVE), [world.plan])
    went_on = resumed(world)

    assert (went_on.finished, went_on.waiting) == (1, 0)
    assert traces(world.engine, ADDRESS, *ids) == []
    if not is_found:
        reconcile(world.session(LIVE), [world.plan])
    assert outcomes(world) == (["accepted"] * 2 if is_found else ["in_doubt:no_answer"] * 2)


@pytest.mark.parametrize(
    ("verdict", "becomes", "requests"),
    [
        ("sent", ["accepted", "accepted"], 1),
        ("skip", ["skipped:doubt", "skipped:doubt"], 1),
        ("resend", ["accepted", "skipped:left_segment"], 2),
    ],
)
def test_a_person_can_settle_what_has_lost_its_content(
    world: World, verdict: Verdict, becomes: list[str], requests: int
) -> None:
    ids = unanswered(world)
    erased(world)
    world.now += DAY
    reconcile(world.session(LIVE), [world.plan])
    world.now += 7 * DAY
    resumed(world)

    def settle(connection: Connection) -> None:
        (batch,) = [one for one in doubts(connection, "live") if one.loop == world.plan.name]
        settle_doubt(connection, batch, verdict, write_back=True, now=world.now)

    transaction(world.engine, settle)
    world.deliver(LIVE)

    assert outcomes(world) == becomes
    assert bytes_of_requests(world) == [(OTHERS, ADDRESS), (OTHERS,)][:requests]
    assert traces(world.engine, ADDRESS, *ids) == []


def test_who_is_erased_twice_waits_for_what_the_first_time_left(world: World) -> None:
    ids = unanswered(world)
    first = erased(world)
    world.remove(ERIKA)
    world.now += DAY

    again = erased(world)

    assert again.waits_until == first.waits_until
    assert known(world) is not None
    world.now += 6 * DAY
    resumed(world)
    assert erased(world).waits_until is None
    assert traces(world.engine, *ids) == []


def test_what_an_erasure_comes_to_wait_for_while_another_look_goes_on_with_it_is_not_forgotten(world: World) -> None:
    unanswered(world)
    erased(world)
    (known_to_the_look,) = [one for one in transaction(world.engine, erasures.read) if one.waits_for]
    world.now += timedelta(minutes=1)
    world.deliver(LIVE)

    more = ["b" * 32]

    def while_it_begins() -> datetime:
        if more:
            also = [more.pop()]
            transaction(world.engine, lambda c: erasures.wait(c, known_to_the_look.erasure_id, also))
        return world.now

    go_on(world.engine, world.settings, while_it_begins)

    assert [one.waits_for for one in transaction(world.engine, erasures.read) if one.waits_for] == [{"b" * 32}]


def test_an_erasure_is_forgotten_after_a_month(world: World) -> None:
    reserved(world)
    erased(world)
    world.remove(ERIKA)
    world.now += 31 * DAY

    resumed(world)

    assert known(world) is None


def test_no_set_is_written_for_anybody_else(world: World) -> None:
    unanswered(world)
    world.add(2**63 - 1, dormant=False)
    erased(world)
    world.now += timedelta(minutes=10)

    world.deliver(LIVE)

    assert world.reminded() == {OTHER}


@pytest.mark.parametrize("dies_at", range(1, 60, 4))
def test_wherever_the_erasure_dies_nobody_is_mailed_twice_and_the_next_one_ends_it(world: World, dies_at: int) -> None:
    ids = unanswered(world)
    with suppress(DiedAtCommit), dying(world.engine, dies_at):
        erased(world, chunk=1)
    world.now += timedelta(minutes=10)
    world.deliver(LIVE)

    erased(world)
    with suppress(DiedAtCommit), dying(world.engine, dies_at):
        resumed(world)
    resumed(world)

    assert sorted(world.provider.mailed) == [OTHERS, ADDRESS]
    assert traces(world.engine, ADDRESS, *ids) == []


def test_their_emails_in_the_outbox_are_deleted(world: World) -> None:
    outbox = registry.open_outbox(world.settings, world.clock)
    world.add(OTHER, ERIKA)
    world.refresh()
    world.reserve(OUTBOX)
    world.deliver(OUTBOX, provider=outbox)
    folder = world.settings.outbox
    assert ADDRESS in everything_in(folder)

    done = erased(world)

    assert done.emails == 1
    assert str(ERIKA) not in everything_in(folder)
    assert len(list(folder.glob("*.eml"))) == 1


def everything_in(folder: Path) -> str:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return "".join(f"{file}\n{file.read_text(encoding='utf-8')}" for file in files)


@pytest.mark.parametrize("at", range(19, 29))
def test_a_commit_without_an_answer_makes_nobody_forget_what_has_to_wait(world: World, at: int) -> None:
    ids = unanswered(world)

    with breaking_off(world.engine, at=at, happens=True):
        done = erased(world)
    assert done.waits_until == world.now + 7 * DAY
    world.now += timedelta(minutes=10)
    world.deliver(LIVE)
    with breaking_off(world.engine, at=at // 2, happens=True):
        resumed(world)

    assert traces(world.engine, ADDRESS, *ids) == []
    assert sorted(world.provider.mailed) == [OTHERS, ADDRESS]


@pytest.mark.long
@pytest.mark.parametrize("turn", range(4))
def test_a_run_at_the_same_time_leaves_nothing_of_them(world: World, turn: int) -> None:
    """Decide, freeze and send in one thread while another erases."""
    if is_sqlite(world.engine):
        pytest.skip("SQLite has one writer")
    everybody = [OTHER + n for n in range(1, 9)]
    world.add(*everybody, ERIKA)
    world.refresh()
    failed: list[BaseException] = []

    def mail() -> None:
        try:
            for _ in range(3):
                world.reserve(LIVE, page=2)
                world.deliver(LIVE, owner=f"run-{turn}")
        except BaseException as error:  # noqa: BLE001 - told in the other thread
            failed.append(error)

    run = threading.Thread(target=mail)
    run.start()
    for _ in range(turn):
        known(world)
    erased(world, chunk=1)
    world.remove(ERIKA)
    run.join()
    world.now += timedelta(minutes=10)
    world.deliver(LIVE)
    erased(world)
    resumed(world)

    assert failed == []
    assert traces(world.engine, ADDRESS) == []
    assert [one for one in world.provider.mailed if one != ADDRESS] == sorted(f"u{n}@example.com" for n in everybody)
    assert world.provider.mailed.count(ADDRESS) <= 1


def test_an_erasure_waits_for_pages_and_no_page_waits_for_it_in_turn(world: World) -> None:
    """A page holds its step's row, and only then wants the one of all loops: whoever holds that may not wait for it."""
    if is_sqlite(world.engine):
        pytest.skip("SQLite has one writer")
    reserved(world)
    with world.engine.begin() as page:
        every = ledger.all_loops(LIVE.name)
        page.execute(insert(steps).values(mode=every.mode, loop=every.loop, step=every.step, digest="", fence=0))
    with world.engine.connect() as page, page.begin():
        ledger.lock(page, ledger.all_loops(LIVE.name))
        with world.engine.connect() as erasure, erasure.begin():
            erasure.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")
            found = ledger.sends_in_pages(erasure, ERIKA, 10)

    assert [one.user_id for one in found] == [ERIKA]
