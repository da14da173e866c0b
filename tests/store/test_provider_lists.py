"""A provider's list is read into ours: once, in order, to its end, whatever the provider answers and whoever dies."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import prepared_tables
import pytest
from delivery_world import users
from resend_server import ResendServer, Scripted, refusal, resend_server
from sqlalchemy import Engine, select

from skene_dagster.consent import suppressions, walking
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Suppression
from skene_dagster.delivery import modes
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import ProviderFatal, ProviderUnavailable
from skene_dagster.feedback.provider_list import lifting, place, push, sweep
from skene_dagster.feedback.provider_list.place import ReadingPlace
from skene_dagster.feedback.provider_list.sweep import Swept
from skene_dagster.settings import Users, load
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import meta

MARCH = datetime(2026, 3, 1, 9)
NOW = datetime(2026, 11, 1, 9)
ADA = "ada@example.com"


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with resend_server() as running:
        running.clock = lambda: NOW
        yield running


@pytest.fixture
def session(engine: Engine, server: ResendServer, tmp_path: Path) -> Iterator[DeliverySession]:
    """A run in live mode that waits for nothing."""
    users.metadata.create_all(engine)
    prepared_tables.make(engine, Users())
    (tmp_path / "skene.yaml").write_text("sender: {from: Orbit <hello@example.com>}\n", encoding="utf-8")
    environ = {"RESEND_API_KEY": "re_test", "RESEND_API_URL": server.url, "SKENE_ENV": "production"}
    settings, mode = load(tmp_path, environ), Mode("live", "a test")
    with closing(
        DeliverySession(
            engine,
            settings,
            mode,
            partial(modes.provider, mode, settings, lambda: NOW),
            lambda: NOW,
            "a test",
            pause=lambda _: None,
        )
    ) as opened:
        yield opened


def swept(session: DeliverySession) -> Swept:
    return sweep.sweep(session, "resend")


def listed(session: DeliverySession) -> dict[str | None, Suppression]:
    return {one.address: one for one in walking.every(session.engine, ["all"], NOW)}


def reading_place(session: DeliverySession) -> ReadingPlace:
    with session.engine.connect() as connection:
        value = connection.execute(select(meta.c.value).where(meta.c.name.like("suppressions of %"))).scalar_one()
    return ReadingPlace(**json.loads(value))


def pages_read(server: ResendServer) -> int:
    """How many pages were read since it was asked last."""
    read = len(server.suppressed.pages)
    server.suppressed.pages.clear()
    return read


@pytest.mark.parametrize(
    ("origin", "reason"), [("bounce", "bounce"), ("complaint", "complaint"), ("manual", "provider")]
)
def test_an_entry_stops_all_email_to_its_address_since_it_was_made(
    session: DeliverySession, server: ResendServer, origin: str, reason: str
) -> None:
    server.suppressed.put(ADA, origin, MARCH)

    found = swept(session)

    (entry,) = listed(session).values()
    assert (entry.address, entry.scope, entry.reason, entry.source) == (ADA, "all", reason, "Resend")
    assert entry.since == MARCH
    assert (found.entries, found.added, found.unread, found.ended_because) == (1, 1, 0, "")


def test_an_empty_list_is_read(session: DeliverySession) -> None:
    assert swept(session).entries == 0
    assert swept(session).ended_because == ""


def test_a_reading_ends_at_what_the_last_one_knew(session: DeliverySession, server: ResendServer) -> None:
    server.suppressed.put_many(250, MARCH)
    first = swept(session)
    whole = pages_read(server)
    server.suppressed.put_many(3, NOW - timedelta(hours=1), "new")

    second = swept(session)

    assert (first.added, whole) == (250, 3)
    assert (second.added, pages_read(server)) == (3, 1)
    assert len(listed(session)) == 253


def test_where_what_it_knew_is_gone_the_list_is_read_to_its_end(session: DeliverySession, server: ResendServer) -> None:
    server.suppressed.put_many(250, MARCH)
    swept(session)
    pages_read(server)
    server.suppressed.entries.pop()
    server.suppressed.put(ADA, "bounce", NOW - timedelta(hours=1))

    assert swept(session).added == 1
    assert pages_read(server) == 3


def test_a_list_in_another_order_is_read_to_its_end_each_time(session: DeliverySession, server: ResendServer) -> None:
    server.suppressed.put_many(1, MARCH)
    swept(session)
    oldest = server.suppressed.entries[0]
    server.suppressed.put_many(150, NOW - timedelta(hours=1), "new")
    # The test's list is oldest first: so what comes first is what was known.
    server.suppressed.entries.reverse()
    assert server.suppressed.entries[-1] is oldest

    swept(session)

    assert len(listed(session)) == 151


def test_a_reading_that_is_broken_off_goes_on_where_it_was(session: DeliverySession, server: ResendServer) -> None:
    server.suppressed.put_many(250, MARCH)
    with_two_pages_and_no_more(server)
    with pytest.raises(ProviderUnavailable, match="was not read to its end: 500"):
        swept(session)
    assert len(listed(session)) == 200
    server.suppressed.put(ADA, "bounce", NOW - timedelta(hours=1))
    server.suppressed.pages.clear()

    found = swept(session)

    assert found.added == 51
    # The rest, and then what has come since, down to where the first reading began.
    assert len(server.suppressed.pages) == 2
    assert reading_place(session) == ReadingPlace(server.suppressed.entries[-1]["id"])


def with_two_pages_and_no_more(server: ResendServer) -> None:
    """Answer two pages as they are, and then fail."""
    answers = [server.suppressed.answer("GET", "/suppressions?limit=100", b"", NOW)]
    answers.append(
        server.suppressed.answer("GET", f"/suppressions?limit=100&after={answers[0][1]['data'][-1]['id']}", b"", NOW)
    )
    server.reads += [Scripted(200, json.dumps(said).encode()) for _, said in answers]
    server.reads.append(refusal(500, "internal_server_error"))


def test_a_place_that_is_gone_by_now_begins_again(session: DeliverySession, server: ResendServer) -> None:
    server.suppressed.put_many(250, MARCH)
    with_two_pages_and_no_more(server)
    with pytest.raises(ProviderUnavailable):
        swept(session)
    after = reading_place(session).after
    server.suppressed.entries = [one for one in server.suppressed.entries if one["id"] != after]

    found = swept(session)

    assert found.ended_because == ""
    assert len(listed(session)) == 250


def test_a_list_longer_than_a_run_is_read_by_several(
    session: DeliverySession, server: ResendServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "PAGES", 2)
    server.suppressed.put_many(350, MARCH)

    first = swept(session)
    second = swept(session)
    third = swept(session)

    assert "has more than 200 entries; the next run goes on" in first.ended_because
    assert (first.added, second.added) == (200, 150)
    assert (third.added, third.ended_because) == (0, "")


def page_of(*ids: str, more: bool = True) -> Scripted:
    rows = [{"id": one, "email": f"{one}@example.com", "origin": "bounce", "created_at": f"{MARCH}"} for one in ids]
    return Scripted(200, json.dumps({"has_more": more, "data": rows}).encode())


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([page_of("a", "b")] * 3, id="the same page again"),
        pytest.param([page_of("a"), page_of("b"), page_of("c"), page_of("b"), page_of("c")], id="a circle"),
        pytest.param([page_of("a", "a"), page_of("a")], id="one id for everything"),
    ],
)
def test_pages_that_never_end_are_ended(session: DeliverySession, server: ResendServer, pages: list[Scripted]) -> None:
    server.reads += pages

    with pytest.raises(ProviderUnavailable, match="its pages go round in a circle"):
        swept(session)

    assert reading_place(session) == ReadingPlace()


def test_one_address_twice_and_addresses_that_are_none_hide_no_other(
    session: DeliverySession, server: ResendServer
) -> None:
    entry = {"origin": "bounce", "created_at": f"{MARCH}"}
    rows = [
        entry | {"id": "a", "email": ADA},
        entry | {"id": "b", "email": f" {ADA.upper()} "},
        entry | {"id": "a", "email": ADA, "origin": "complaint"},
        entry | {"id": "c", "email": "nobody"},
        entry | {"id": "d", "email": "x" * 100_000 + "@example.com"},
        {"id": "e"},
        entry | {"id": "f", "email": "bob@example.com", "created_at": "2999-01-01T00:00:00Z"},
        entry | {"id": "g", "email": "eve@example.com", "created_at": None},
    ]
    server.reads.append(Scripted(200, json.dumps({"has_more": False, "data": rows}).encode()))

    found = swept(session)

    assert (found.entries, found.added, found.unread) == (8, 3, 3)
    known = {one.address.lower(): (one.reason, one.since) for one in listed(session).values() if one.address}
    assert known == {
        ADA: ("complaint", MARCH),
        "bob@example.com": ("bounce", NOW),
        "eve@example.com": ("bounce", NOW),
    }


def test_an_entry_older_than_a_lift_does_not_suppress_again_and_a_newer_one_does(
    session: DeliverySession, server: ResendServer
) -> None:
    server.suppressed.put(ADA, "bounce", MARCH)
    swept(session)
    with session.engine.connect() as connection:
        name = Recipients.of(connection).address(ADA)
    lifted_at = MARCH + timedelta(days=10)
    transaction(session.engine, lambda c: suppressions.lift(c, [name], "a new mailbox", lifted_at))
    forget(session)

    swept(session)
    old = listed(session)
    server.suppressed.entries.clear()
    server.suppressed.put(ADA, "bounce", lifted_at + timedelta(seconds=1))
    swept(session)

    assert old == {}
    assert [one.since for one in listed(session).values()] == [lifted_at + timedelta(seconds=1)]


def forget(session: DeliverySession) -> None:
    """Let the next reading go to the end."""
    with session.engine.begin() as connection:
        connection.execute(meta.delete().where(meta.c.name.like("suppressions of %")))


def test_a_key_that_may_only_send_is_told_once(session: DeliverySession, server: ResendServer) -> None:
    server.may_read = False

    first, second = swept(session), swept(session)
    server.may_read = True
    third = swept(session)

    assert "the key may not read it (401 restricted_api_key" in first.ended_because
    assert (first.is_news, second.is_news) == (True, False)
    assert third.ended_because == ""
    assert reading_place(session).forbidden is False


def test_of_two_readings_at_once_one_ends(session: DeliverySession, server: ResendServer) -> None:
    server.suppressed.put_many(3, MARCH)
    account = session.outlet("resend").provider.account
    assert account is not None
    others = [ReadingPlace("another")]

    def meanwhile() -> datetime:
        """Another reading ends while this one waits for its page."""
        if others:
            now = others.pop()
            transaction(session.engine, lambda c: place.move(c, account, ReadingPlace(), now))
        return NOW

    server.clock = meanwhile

    found = swept(session)

    assert found.ended_because == "another run is reading it"
    assert listed(session) == {}
    assert reading_place(session) == ReadingPlace("another")


def test_the_same_step_twice_is_one(session: DeliverySession) -> None:
    for _ in range(2):
        transaction(session.engine, lambda c: place.move(c, "one", ReadingPlace(), ReadingPlace("a", "b", "c")))

    with session.engine.connect() as connection:
        assert place.read(connection, "one") == ReadingPlace("a", "b", "c")


def test_the_place_of_the_longest_ids_fits(session: DeliverySession) -> None:
    longest = ReadingPlace("a" * 60, "b" * 60, "c" * 60)

    transaction(session.engine, lambda c: place.move(c, "x" * 48, ReadingPlace(), longest))

    with session.engine.connect() as connection:
        assert place.read(connection, "x" * 48) == longest


def test_an_address_is_found_there_however_it_is_spelled_and_taken_off(
    session: DeliverySession, server: ResendServer
) -> None:
    server.suppressed.put(ADA, "bounce", MARCH)
    server.suppressed.put("eve@example.com", "complaint", MARCH)

    asked = ["Ada@example.com", "eve@example.com", "bob@example.com"]
    answered = lifting.lift_there(session, ["resend"], asked, complaints=False)

    assert [one.address for one in answered.lifted] == ["Ada@example.com"]
    assert [one.address for one in answered.complaints] == ["eve@example.com"]
    assert answered.unanswered == {}
    assert [one["email"] for one in server.suppressed.entries] == ["eve@example.com"]


def held(session: DeliverySession, count: int) -> None:
    with session.engine.connect() as connection:
        names = Recipients.of(connection)
    addresses = [f"user-{n:03}@example.com" for n in range(count)]
    entries = [Suppression(names.address(one), "all", MARCH, "bounce", "a test", one) for one in addresses]
    entries.append(Suppression(names.address("gone@example.com"), "all", MARCH, "bounce", "a test"))
    ends = NOW + timedelta(days=3)
    entries.append(Suppression(names.address(ADA), "all", MARCH, "bounce", "a test", ADA, ends))
    entries.append(Suppression(names.address("no@example.com"), "marketing", MARCH, "said_no", "", "no@example.com"))
    transaction(session.engine, lambda c: suppressions.suppress(c, entries, NOW))


def test_what_stops_all_email_for_good_is_put_on_the_list_of_the_provider(
    session: DeliverySession, server: ResendServer
) -> None:
    held(session, 250)
    told: list[int] = []

    costs = push.cost(session, "resend")
    done = push.push(session, "resend", told.append)
    again = push.push(session, "resend")

    assert (costs.addresses, costs.erased, costs.ending, costs.calls) == (250, 1, 1, 3)
    assert (done.addresses, done.refused, told) == (250, 0, [100, 200, 250])
    assert again == done
    assert {one["email"] for one in server.suppressed.entries} == {f"user-{n:03}@example.com" for n in range(250)}


def test_an_address_that_the_provider_does_not_take_keeps_no_other_off_its_list(
    session: DeliverySession, server: ResendServer
) -> None:
    held(session, 20)
    server.suppressed.refuses = frozenset({"user-007@example.com", "user-008@example.com"})

    done = push.push(session, "resend")

    assert (done.addresses, done.refused) == (18, 2)
    assert len(server.suppressed.entries) == 18


def test_a_push_that_is_broken_off_says_how_far_it_came_and_is_finished_by_another(
    session: DeliverySession, server: ResendServer
) -> None:
    held(session, 150)
    server.script += [Scripted("usual"), *[refusal(500, "internal_server_error")] * 3]

    with pytest.raises(ProviderUnavailable, match="Of these addresses 100 are on the list of Resend; then it ended"):
        push.push(session, "resend")
    assert len(server.suppressed.entries) == 100
    push.push(session, "resend")

    assert len(server.suppressed.entries) == 150


def test_one_bad_moment_does_not_break_a_push_off(session: DeliverySession, server: ResendServer) -> None:
    held(session, 150)
    server.script += [Scripted("usual"), Scripted(None), refusal(503, "service_unavailable")]
    waits: list[float] = []
    session.pause = waits.append

    assert push.push(session, "resend").addresses == 150
    assert {*push.WAITS} <= {*waits}


def test_a_push_by_a_key_that_may_only_send_is_refused(session: DeliverySession, server: ResendServer) -> None:
    held(session, 1)
    server.may_read = False

    with pytest.raises(ProviderFatal, match="may not change its list of suppressions"):
        push.push(session, "resend")


def test_calls_of_the_list_take_their_slots_among_those_that_send(
    session: DeliverySession, server: ResendServer
) -> None:
    server.per_second = 1000
    server.suppressed.put_many(250, MARCH)
    waits: list[float] = []
    session.pause = waits.append

    swept(session)

    with session.engine.connect() as connection:
        rate = session.outlet("resend").pacing.lasts(connection, 1000)
    assert rate == pytest.approx(1 / (session.settings.sender.rate_share * 0.99))
    # Two a second until the first answer says a thousand.
    assert sum(waits) > 0
