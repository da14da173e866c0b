"""Who is erased is in no table any more; what was decided still counts, and what they said no to holds."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, World, make_world, planned
from erased_world import (
    ABOUT_NOBODY,
    ADDRESS,
    ERIKA,
    MAIL,
    OTHER,
    SEND,
    erased,
    filled,
    known,
    reserved,
    send_ids,
    traces,
)
from feedback_world import HARD, about, read, told
from neighbours import own
from sqlalchemy import Connection, Engine, func, select, text
from usage_world import Died, dying

from skene_dagster.consent import suppressions
from skene_dagster.consent.preferences import Said, say_no, say_yes
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.spool.choices import Choices
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.suppressions import Scope, Suppression
from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.settings import Cap
from skene_dagster.store.engine import transaction
from skene_dagster.store.tables import contacts, deferred, erasures, metadata, preferences, receipts, sends
from skene_dagster.store.tables import suppressions as suppressions_table


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def names(world: World) -> tuple[str, str]:
    """What consent knows them by."""
    with world.engine.connect() as connection:
        recipients = Recipients.of(connection)
        return recipients.user(ERIKA), recipients.address(ADDRESS)


def stopped(world: World, scope: Scope = "marketing", **more: str) -> None:
    """Somebody has put them on the list, with their address."""
    user, address = names(world)
    entries = [
        Suppression(address, scope, world.now, "manual", more.get("source", "a test"), ADDRESS),
        Suppression(user, scope, world.now, "manual", "a test"),
    ]
    transaction(world.engine, lambda c: suppressions.suppress(c, entries, world.now))


def holds(world: World) -> list[tuple[str, str | None]]:
    """What holds of them, and the address that stands beside it."""
    table = suppressions_table.c
    mine = (table.recipient.in_(names(world)), table.lifted_at > world.now)
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(table.scope, table.address).where(*mine))]


def test_no_table_holds_anything_of_them_whatever_it_held(world: World) -> None:
    filled(world.engine)
    rows = {line.split(".")[0] for line in traces(world.engine, ADDRESS, SEND, MAIL)}

    first, second = erased(world), erased(world)

    assert rows == {*metadata.tables} - {*ABOUT_NOBODY}, "a table was not filled"
    assert traces(world.engine, ADDRESS, SEND, MAIL) == []
    assert first.rows["skene_sends"] == first.rows["skene_events"] == 1
    assert second.rows == {}


def test_what_a_refresh_left_that_died_holds_nothing_of_them_either(world: World) -> None:
    world.add(OTHER, ERIKA)
    with world.engine.begin() as connection:
        connection.execute(text("CREATE TABLE skene_staging_0123456789ab_7 (user_id BIGINT)"))
        connection.execute(text("CREATE TABLE skene_staging_0123456789ab_8 (at DATE)"))
        connection.execute(text(f"INSERT INTO skene_staging_0123456789ab_7 VALUES ({OTHER}), ({ERIKA})"))

    erased(world)

    assert traces(world.engine) == []


def test_who_was_mailed_is_in_no_table_and_still_counts(world: World) -> None:
    world.add(OTHER, ERIKA)
    world.tick(LIVE)
    ids = send_ids(world)
    link = f"https://example.com/users/{ERIKA}"
    read(world, about(world, ERIKA, "clicked", event_id="e", link=link))
    scope = StepScope("live", world.plan.name, world.step.ledger_name)
    world.days_pass(1)

    erased(world)

    assert traces(world.engine, ADDRESS, f"User {ERIKA}", *ids) == []
    with world.engine.connect() as connection:
        assert ledger.counts(connection, scope) == {"accepted": 2}
        assert connection.execute(select(func.count()).select_from(receipts).where(own(receipts))).scalar() == 1
        (batch,) = connection.execute(select(sends.c.batch_id).where(own(sends)).distinct()).scalars()
        in_batch = set(ledger.batch_of(connection, batch).frozen_sends)
        assert in_batch == set(connection.execute(select(sends.c.send_id).where(own(sends))).scalars())


def test_the_key_of_a_send_becomes_the_highest_that_is_free_downwards(world: World) -> None:
    highest = 2**63 - 1
    world.add(OTHER, ERIKA, ERIKA - 1, highest - 1)
    world.tick(LIVE)

    for user in (ERIKA, ERIKA - 1):
        erased(world, str(user))

    assert sorted(world.states()) == [OTHER, highest - 2, highest - 1, highest]


def test_who_comes_back_is_somebody_new(world: World) -> None:
    world.add(ERIKA)
    world.tick(LIVE)
    erased(world)
    world.days_pass(1)

    world.tick(LIVE)
    assert world.provider.mailed == [ADDRESS, ADDRESS]

    erased(world)
    assert traces(world.engine, ADDRESS) == []
    assert sorted(world.states()) == [2**63 - 2, 2**63 - 1]


def test_what_they_said_no_to_holds_without_their_address(world: World) -> None:
    world.add(OTHER, ERIKA)
    stopped(world, source=f"{ADDRESS.upper()} wrote to us")

    erased(world)

    assert traces(world.engine, ADDRESS) == []
    assert holds(world) == [("marketing", None), ("marketing", None)]
    world.tick(LIVE)
    assert world.states()[ERIKA] == "skipped:said_no"


def test_a_yes_is_forgotten_and_a_no_is_not(world: World) -> None:
    world.add(ERIKA)

    def say(connection: Connection) -> None:
        both = names(world)
        say_no(connection, both, "topic:tips", Said(world.now, "a page", None, SEND), world.now)
        say_yes(connection, both, "topic:news", Said(world.now, "a page", None, SEND), world.now)

    transaction(world.engine, say)

    erased(world)

    with world.engine.connect() as connection:
        kept = connection.execute(select(preferences.c.scope, preferences.c.answer, preferences.c.send_id)).all()
    assert [tuple(row) for row in kept] == [("topic:tips", "no", None)] * 2


def test_a_no_that_waits_on_this_machine_is_heard_first(world: World) -> None:
    world.add(ERIKA)
    said = Choices(names(world), (("no", "marketing"),), Said(world.now, "a page", None, SEND))
    spool = Spool(world.settings.spool)
    spool.add([said])

    erased(world)

    assert spool.is_empty()
    assert holds(world) == [("marketing", None), ("marketing", None)]
    assert traces(world.engine, SEND) == []


def test_a_complaint_that_is_not_read_yet_is_read_first(world: World) -> None:
    world.add(ERIKA)
    world.tick(LIVE)
    told(world, about(world, ERIKA, "complained", event_id="e"))

    erased(world)

    assert holds(world) == [("all", None)]
    assert traces(world.engine, ADDRESS) == []


@pytest.mark.parametrize("kind", ["complained", "bounced"])
def test_what_comes_in_later_stops_their_mail_and_writes_no_address_down(world: World, kind: str) -> None:
    world.add(ERIKA)
    world.tick(LIVE)
    late = about(world, ERIKA, kind, event_id="e", **(HARD if kind == "bounced" else {}))  # type: ignore[arg-type]
    erased(world)
    world.days_pass(8)

    read(world, late)

    assert holds(world) == [("all", None)]
    assert traces(world.engine, ADDRESS) == []


def test_an_old_link_still_works(world: World) -> None:
    world.add(ERIKA)
    world.tick(LIVE)
    erased(world)
    world.days_pass(400)

    said = Choices(names(world), (("no", "marketing"),), Said(world.now, "a page", None, None))
    transaction(world.engine, lambda c: said.record(c, world.now))

    assert holds(world) == [("marketing", None), ("marketing", None)]


def test_by_their_address_the_users_who_have_it_are_erased_and_those_who_had_it(world: World) -> None:
    world.add(OTHER, ERIKA)
    world.tick(LIVE)
    world.remove(ERIKA)

    person = known(world, f" {ADDRESS.upper()} ")
    assert person is not None
    assert (person.users, person.in_product) == ((ERIKA,), ())

    erased(world, ADDRESS)
    assert traces(world.engine, ADDRESS) == []


def test_who_has_another_address_by_now_is_named_and_not_erased(world: World) -> None:
    world.add(OTHER, ERIKA)
    world.tick(LIVE)
    world.change(ERIKA, email="new@example.com")

    person = known(world, ADDRESS)

    assert person is not None
    assert (person.users, person.moved) == ((), (ERIKA,))


def test_another_user_of_the_address_is_named_and_not_erased(world: World) -> None:
    world.add(ERIKA)
    world.add(OTHER, email=ADDRESS)

    person = known(world)

    assert person is not None
    assert (person.users, person.shared_with) == ((ERIKA,), (OTHER,))


def shared_and_mailed(world: World) -> None:
    """An address has two users and got one email, to the first; a cap allows no second one for a week."""
    limits = world.settings.limits.model_copy(update={"caps": (Cap(count=1, within="7d"),)})  # type: ignore[arg-type]
    world.settings = replace(world.settings, limits=limits)
    world.add(ERIKA)
    world.add(OTHER, email=ADDRESS)
    world.tick(LIVE)
    assert world.provider.mailed == [ADDRESS]


def decided_by_another_loop(world: World) -> list[str]:
    world.plan = planned(world.root, world.settings, f"name: another\n{LOOP}")
    world.days_pass(1)
    world.tick(LIVE)
    with world.engine.connect() as connection:
        query = select(deferred.c.reason).where(own(deferred), deferred.c.user_id == OTHER)
        return list(connection.execute(query).scalars())


def test_what_an_address_got_still_counts_for_another_user_of_it(world: World) -> None:
    shared_and_mailed(world)

    world.remove(ERIKA)
    erased(world, chunk=1)

    assert decided_by_another_loop(world) == ["cap"]
    assert traces(world.engine) == []


def test_what_was_kept_of_an_address_for_its_last_user_goes_with_them(world: World) -> None:
    shared_and_mailed(world)
    world.remove(ERIKA)
    erased(world)
    world.remove(OTHER)

    erased(world, str(OTHER))

    name = transaction(world.engine, lambda c: Recipients.of(c).address(ADDRESS))
    with world.engine.connect() as connection:
        left = connection.execute(select(contacts).where(contacts.c.recipient == name)).all()
    assert left == []


@pytest.mark.parametrize("who", ["5", "nobody@example.com", "x", "99999999999999999999999", "-1"])
def test_nobody_is_known_who_is_not(world: World, who: str) -> None:
    world.add(OTHER)

    assert known(world, who) is None


def test_who_was_erased_is_known_by_that_for_a_month(world: World) -> None:
    reserved(world)
    erased(world)
    world.remove(ERIKA)

    assert known(world) is not None
    assert erased(world).rows == {}


@pytest.mark.parametrize("after", range(2, 40, 3))
def test_wherever_it_dies_the_next_one_erases_the_rest(world: World, after: int) -> None:
    world.add(OTHER, ERIKA)
    world.tick(LIVE)
    ids = send_ids(world)
    filled(world.engine)
    stopped(world)
    with suppress(Died), dying(world.engine, after):
        erased(world, chunk=1)

    erased(world, chunk=1)

    assert traces(world.engine, ADDRESS, SEND, MAIL, *ids) == []
    assert {state.partition(":")[0] for state in world.states().values()} == {"accepted"}
    assert ("marketing", None) in holds(world)
    with world.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(erasures)).scalar_one() >= 1
