"""Of two versions of an email each user gets one, drawn by a coin of its own, and the same one of all later emails."""

import hashlib
from pathlib import Path

import pytest
from delivery_world import LIVE, LOOP, MJML, TEXT, World, make_world, planned
from neighbours import own
from sqlalchemy import Engine, select, update

from skene_dagster.goals.arms import arms_of
from skene_dagster.store.tables import arms, meta

SALT = bytes(32)
EVERYBODY = range(1, 41)
TWO = LOOP.replace("      template: hello\n", "      template: hello\n      variants: {plain: 50, warm: 50}\n")


def tossed(key: int, purpose: str) -> float:
    text = b"\x1f".join((SALT, purpose.encode(), b"retention", str(key).encode()))
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


HELD_OUT = {key for key in EVERYBODY if tossed(key, "holdout") < 0.5}
PLAIN = {key for key in EVERYBODY if tossed(key, "variant") < 0.5}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, tmp_path)
    for name in ("plain", "warm"):
        (tmp_path / "templates" / f"hello.{name}.mjml").write_text(MJML.replace("Hello", name), "utf-8")
        (tmp_path / "templates" / f"hello.{name}.txt").write_text(TEXT.replace("Hello", name), "utf-8")
    with engine.begin() as connection:
        connection.execute(update(meta).where(meta.c.name == "coin").values(value=SALT.hex()))
    return made


def got(world: World) -> dict[int, list[str]]:
    """Which variants each user got, by the subjects of their emails."""
    found: dict[int, list[str]] = {}
    for messages in world.provider.accepted.values():
        for message in messages:
            user = int(message.to.partition("@")[0].removeprefix("u"))
            found.setdefault(user, []).append(message.subject.partition(" ")[0])
    return found


def drawn(world: World) -> dict[int, tuple[str, str | None]]:
    query = select(arms.c.user_id, arms.c.arm, arms.c.variant).where(own(arms))
    with world.engine.connect() as connection:
        return {user: (arm, variant) for user, arm, variant in connection.execute(query)}


def test_each_user_gets_one_as_the_coin_says(world: World) -> None:
    world.plan = planned(world.root, world.settings, TWO)
    world.add(*EVERYBODY)

    world.tick(LIVE)

    assert got(world) == {user: ["plain" if user in PLAIN else "warm"] for user in EVERYBODY}
    assert drawn(world) == {user: ("mailed", "plain" if user in PLAIN else "warm") for user in EVERYBODY}


def test_beside_a_holdout_those_who_are_mailed_are_divided_as_before(world: World) -> None:
    world.plan = planned(world.root, world.settings, f"{TWO}holdout: 50%\n")
    world.add(*EVERYBODY)

    world.tick(LIVE)

    assert set(got(world)) == {*EVERYBODY} - HELD_OUT
    assert {user for user, names in got(world).items() if names == ["plain"]} == PLAIN - HELD_OUT
    assert {drawn(world)[user] for user in HELD_OUT} == {("held_out", None)}
    with world.engine.connect() as connection:
        assert set(connection.execute(select(arms.c.weights).where(own(arms))).scalars()) == {"plain: 0.5, warm: 0.5"}


def test_other_shares_hold_for_those_who_are_drawn_from_then_on(world: World) -> None:
    every_entry = TWO.replace("      set: {reminded: true}\n", "      repeat: every_entry\n")
    world.settings.limits.__dict__["least_change"] = 100
    world.plan = planned(world.root, world.settings, every_entry)
    world.add(*EVERYBODY)
    world.tick(LIVE)
    world.plan = planned(world.root, world.settings, every_entry.replace("plain: 50, warm: 50", "plain: 1, warm: 1000"))
    world.change(*EVERYBODY, dormant=False)
    world.days_pass(1)
    world.tick(LIVE)
    world.change(*EVERYBODY, dormant=True)
    world.add(*range(101, 121))
    world.days_pass(1)
    world.tick(LIVE)

    assert {user: set(names) for user, names in got(world).items() if user in EVERYBODY} == {
        user: {"plain" if user in PLAIN else "warm"} for user in EVERYBODY
    }
    assert {names[0] for user, names in got(world).items() if user > 100} == {"warm"}
    with world.engine.connect() as connection:
        rows = connection.execute(select(arms.c.user_id, arms.c.weights).where(own(arms)))
        kept = dict(rows.all())
    assert {kept[user] for user in EVERYBODY} == {"plain: 0.5, warm: 0.5"}
    assert {kept[user] for user in range(101, 121)} == {"plain: 0.000999000999, warm: 0.999000999"}


def test_whose_variant_is_gone_gets_another_one(world: World) -> None:
    world.plan = planned(world.root, world.settings, TWO)
    world.add(*EVERYBODY)
    world.tick(LIVE)

    left = (("warm", 0.5), ("cold", 0.5))
    with world.engine.connect() as connection:
        found = arms_of(connection, "live", "retention", 0.0, list(EVERYBODY), variants=left)

    assert {found.variant_of(user) for user in EVERYBODY if user not in PLAIN} == {"warm"}
    assert {found.variant_of(user) for user in PLAIN} <= {"warm", "cold"}
