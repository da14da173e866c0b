"""Weeks of real customers, CDNOW's, through a loop with a holdout and the database: the lift that we planted is read.

Whoever has bought nothing for 14 days comes in, once; one of ten gets no email. Of those who would not buy again within
four weeks some are chosen who do if they are mailed: 3 of 100 of all. What the database counts is counted here a
second time, from the purchases and the salt alone.
"""

import csv
import gzip
import hashlib
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import pytest
from delivery_world import LOOP, OUTBOX, World, make_world, planned
from neighbours import own
from sqlalchemy import BigInteger, Column, DateTime, Engine, MetaData, Table, insert, select, text, update

from skene_dagster.outcomes.comparisons import LoopOutcome, outcomes_of
from skene_dagster.outcomes.windows import measure
from skene_dagster.store.tables import meta, sends

DATA = Path(__file__).parents[2] / "data" / "cdnow.csv.gz"
ONE_OF = 2
"""Of so many customers one is in the shop: on a server all of them would take too long."""
ASLEEP, WITHIN, WEEK = timedelta(days=14), timedelta(days=28), timedelta(weeks=1)
TICKS = [datetime(1997, 1, 20, 9) + number * WEEK for number in range(12)]
JUNE = datetime(1997, 6, 1, 3)
"""When all windows are over."""
SHARE, EFFECT = 0.1, 0.03
SALT = bytes(32)

WIN_BACK = (
    LOOP.replace("dormant = true", "last_activity_at < NOW() - INTERVAL '14 days'").replace(
        "set: {reminded: true}", "repeat: once"
    )
    + """\
holdout: 10%
goal: {query: "SELECT customer_id AS user_id, bought_at AS at FROM purchases", within: 28d}
"""
)

purchases = Table(
    "purchases",
    MetaData(),
    Column("customer_id", BigInteger, nullable=False, index=True),
    Column("bought_at", DateTime, nullable=False),
    mysql_collate="utf8mb4_bin",
)

Bought = dict[int, list[datetime]]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    made.settings = replace(made.settings, limits=made.settings.limits.model_copy(update={"least_change": 100_000}))
    purchases.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(update(meta).where(meta.c.name == "coin").values(value=SALT.hex()))
    made.plan = planned(tmp_path, made.settings, WIN_BACK)
    return made


def real_purchases() -> Bought:
    found: Bought = {}
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["customer_id"]) % ONE_OF == 0:
                found.setdefault(int(row["customer_id"]), []).append(datetime.fromisoformat(row["date"]))
    return found


def falls_asleep(bought: list[datetime]) -> datetime | None:
    """Say at which tick a customer has bought nothing for 14 days, for the first time."""
    for tick in TICKS:
        so_far = [day for day in bought if day <= tick]
        if so_far and max(so_far) < tick - ASLEEP:
            return tick
    return None


def buys_again(bought: list[datetime], since: datetime) -> bool:
    return any(since < moment <= since + WITHIN for moment in bought)


def tossed(customer: int) -> float:
    """What the design says of the coin, word for word."""
    text = b"\x1f".join((SALT, b"holdout", b"retention", str(customer).encode()))
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


def a_week_passes(world: World, bought: Bought, tick: datetime, since: datetime) -> None:
    """The shop's own work: who buys for the first time is a user from then on, and active when they bought last."""
    rows = [{"customer_id": who, "bought_at": at} for who, days in bought.items() for at in days if since < at <= tick]
    if new := [who for who, days in bought.items() if since < min(days) <= tick]:
        world.add(*new)
    last = text(
        "UPDATE users SET last_activity_at = (SELECT MAX(bought_at) FROM purchases WHERE customer_id = users.id)"
    )
    with world.engine.begin() as connection:
        connection.execute(insert(purchases), rows)
        connection.execute(last)
    world.now = tick


def mailed_at(world: World, tick: datetime) -> set[int]:
    query = select(sends.c.user_id).where(own(sends), sends.c.as_of == tick, sends.c.state == "reserved")
    with world.engine.connect() as connection:
        return set(connection.execute(query).scalars())


def measured(world: World) -> LoopOutcome:
    plan, goal = world.plan, world.plan.goals[0]
    measure(world.engine, plan=plan, goal=goal, settings=world.settings, mode=OUTBOX.name, as_of=JUNE)
    late = world.settings.events.late
    with world.engine.connect() as connection:
        (found,) = outcomes_of(connection, plan, OUTBOX.name, as_of=JUNE, late=late)
    return found


def interval(mailed: tuple[int, int], held_out: tuple[int, int]) -> tuple[float, float]:
    """Newcombe's, as the reference writes it: of how many were there, and how many of them bought."""
    z = NormalDist().inv_cdf(0.975)

    def score(people: int, yes: int) -> tuple[float, float, float]:
        share = yes / people
        root = z * sqrt(z * z + 4 * yes * (1 - share))
        low, high = ((2 * yes + z * z + sign * root) / (2 * (people + z * z)) for sign in (-1, 1))
        return share, low, high

    (p1, l1, u1), (p0, l0, u0) = score(*mailed), score(*held_out)
    return p1 - p0 - sqrt((p1 - l1) ** 2 + (u0 - p0) ** 2), p1 - p0 + sqrt((u1 - p1) ** 2 + (p0 - l0) ** 2)


def test_the_planted_three_points_are_read_from_the_ledger(world: World) -> None:
    bought = real_purchases()
    asleep = {who: tick for who, days in bought.items() if (tick := falls_asleep(days)) is not None}
    alone = {who for who, tick in asleep.items() if buys_again(bought[who], tick)}
    planted = set(random.Random(17).sample(sorted(set(asleep) - alone), round(EFFECT * len(asleep))))

    since = datetime(1997, 1, 1) - WEEK
    for tick in [*TICKS, JUNE]:
        a_week_passes(world, bought, tick, since)
        if tick in TICKS:
            world.refresh()
            world.reserve()
            for who in planted & mailed_at(world, tick):
                bought[who].append(tick + timedelta(days=10))
        since = tick
    found = measured(world)

    arms = {who: "held_out" if tossed(who) < SHARE else "mailed" for who in asleep}
    people = Counter(arms.values())
    again = Counter(arms[who] for who, tick in asleep.items() if buys_again(bought[who], tick))
    assert [(arm.settled, arm.settled_reached) for arm in (found.mailed, found.held_out)] == [
        (people[arm], again[arm]) for arm in ("mailed", "held_out")
    ]
    assert again["mailed"] - len([who for who in alone if arms[who] == "mailed"]) > EFFECT * people["mailed"] * 0.9
    low, high = interval(*((people[arm], again[arm]) for arm in ("mailed", "held_out")))
    assert found.lift.difference is not None
    assert (found.lift.difference.low, found.lift.difference.high) == pytest.approx((low, high))
    assert low <= EFFECT <= high
    assert not found.alarm
