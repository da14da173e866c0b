"""What became of emails by the domain of their recipients' addresses: who is alone at theirs is with the others."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, World, make_world
from feedback_world import HARD, about, read
from neighbours import own
from sqlalchemy import Engine, select, update

from skene_dagster.delivery.ledger.looking_back.domains import FEW, Became, ByDomain, counted_by_domain
from skene_dagster.delivery.ledger.receipt_counts import counted_by_day
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import batches, receipts

LARGE, SMALL = range(1, FEW + 1), range(FEW + 1, FEW + 4)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return make_world(engine, tmp_path)


def mailed_at(world: World, domains: dict[str, range]) -> None:
    """Users get an email at addresses of these domains."""
    for domain, users in domains.items():
        world.add(*users)
        for user in users:
            world.change(user, email=f"u{user}@{domain}")
    world.tick(LIVE)


def counted(world: World, most: int = 12) -> ByDomain:
    since = world.now - timedelta(days=6)
    return reading(world.engine, lambda c: counted_by_domain(c, "live", ["retention"], since, most))


def became(**numbers: int) -> Became:
    return Became(**dict.fromkeys((field.name for field in fields(Became)), 0) | numbers)


def test_a_domain_is_counted_where_enough_people_have_it(world: World) -> None:
    mailed_at(world, {"Gmail.com": LARGE, "ada-lovelace.example": SMALL})

    read(
        world,
        *(about(world, user, "delivered") for user in (1, 2, 3, SMALL[0])),
        about(world, 3, "complained"),
        about(world, 4, "bounced", **HARD),
        about(world, 5, "unsubscribed"),
        about(world, SMALL[1], "bounced", **HARD),
    )

    assert counted(world) == ByDomain(
        [("gmail.com", became(accepted=FEW, delivered=3, bounced=1, complained=1, said_no=1))],
        became(accepted=3, delivered=1, bounced=1),
    )


def test_what_machines_open_is_not_counted_as_what_people_do_and_all_is_counted_as_elsewhere(world: World) -> None:
    mailed_at(world, {"gmail.com": LARGE, "example.com": SMALL})

    read(world, *(about(world, user, "delivered") for user in (1, 2, SMALL[0])))
    read(world, about(world, 1, "opened"), about(world, 1, "clicked"))
    world.now += timedelta(seconds=90)
    read(world, about(world, 2, "opened"), about(world, 2, "clicked"), about(world, SMALL[0], "clicked"))

    found = counted(world)
    assert found.domains == [("gmail.com", became(accepted=FEW, delivered=2, clicked=1, opened=1))]
    days = reading(world.engine, lambda c: counted_by_day(c, "live", (world.now - timedelta(days=6)).date()))
    same = next(counts for (loop, _), counts in days.items() if loop == "retention")
    for field in fields(Became):
        ours = sum(getattr(one, field.name) for one in (*(one for _, one in found.domains), found.others))
        assert ours == getattr(same, field.name), field.name


def test_only_the_largest_are_listed_and_nothing_of_the_others_is_lost(world: World) -> None:
    mailed_at(world, {"gmail.com": range(1, 12), "gmx.example": range(20, 30), "web.example": range(40, 50)})

    found = counted(world, most=2)

    assert [(name, one.accepted) for name, one in found.domains] == [("gmail.com", 11), ("gmx.example", 10)]
    assert found.others.accepted == 10


def test_emails_of_an_older_release_have_no_domain_and_are_among_the_others(world: World) -> None:
    mailed_at(world, {"gmail.com": LARGE})
    with world.engine.begin() as connection:
        connection.execute(update(receipts).where(own(receipts)).values(domain=None))

    assert counted(world) == ByDomain([], became(accepted=FEW))


def test_a_batch_forgets_the_domains_with_its_bytes(world: World) -> None:
    mailed_at(world, {"gmail.com": range(1, 3)})

    with world.engine.connect() as connection:
        kept = connection.execute(select(batches.c.domains).where(own(batches))).scalars().all()
        known = connection.execute(select(receipts.c.domain).where(own(receipts))).scalars().all()
    assert (kept, known) == ([None], ["gmail.com", "gmail.com"])
