"""How much mail people get of all loops, who is at a cap, and which loop keeps which from mailing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from delivery_world import LIVE
from explained_world import Scene, make_scene
from sqlalchemy import Engine

from skene_dagster.delivery.ledger.health import waiting_by_step
from skene_dagster.delivery.ledger.looking_back.pressure import AtCap, KeptFrom
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.report.pressure import Pressure, Waiting, read
from skene_dagster.store.engine import reading

BEGIN = datetime(2026, 11, 2, 9)
LIVE_ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}
ADA, BOB, CY, STAFF, NOWHERE = 1, 2, 3, 4, 5


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Scene:
    """A cap of 2 in 7 days; three users who may be mailed, one who may not, and one without address."""
    scene = make_scene(engine, tmp_path / "project", BEGIN, environ=LIVE_ENVIRON)
    scene.add(ADA, dormant=1, vip=1)
    scene.add(BOB)
    scene.add(CY, plan="free")
    scene.add(STAFF, plan="free", staff=1)
    scene.add(NOWHERE, plan="free", email=" ")
    return scene


def pressure(scene: Scene, plans: Iterator[LoopPlan] | None = None, loop: str | None = None) -> Pressure:
    return reading(
        scene.engine,
        lambda c: read(
            c,
            scene.settings,
            list(plans or scene.project.loops),
            LIVE.name,
            scene.now,
            waiting_by_step(c, LIVE.name),
            loop,
        ),
    )


def test_people_are_counted_by_the_emails_of_all_loops_in_seven_and_thirty_days(scene: Scene) -> None:
    scene.tick("activation")
    scene.after(days=8)
    scene.tick("win_back")
    scene.after(minutes=1)

    found = pressure(scene)

    assert found.people == 3
    assert found.week == {0: 2, 1: 1}
    assert found.month == {0: 1, 1: 1, 2: 1}
    assert (found.waiting, found.kept, found.outranked) == ([], (), [])
    assert [full for _, full in found.caps] == [AtCap(0, [])]


def test_of_who_waits_for_room_it_says_whose_emails_take_it(scene: Scene) -> None:
    for name in ("activation", "win_back"):
        scene.tick(name)
        scene.after(minutes=1)
    scene.tick("vip")
    scene.after(minutes=1)

    found = pressure(scene)

    assert [(cap.count, full) for cap, full in found.caps] == [(2, AtCap(1, [ADA]))]
    assert found.waiting == [Waiting("vip", "cap", 1, [ADA])]
    assert found.kept == [KeptFrom("vip", "activation", 1, 1), KeptFrom("vip", "win_back", 1, 1)]
    assert pressure(scene, loop="win_back").kept == [KeptFrom("vip", "win_back", 1, 1)]
    assert pressure(scene, loop="win_back").waiting == []

    scene.after(days=7)
    assert [full for _, full in pressure(scene).caps] == [AtCap(0, [])]


def test_of_who_is_outranked_it_says_by_which_loops_in_whose_segments_they_are(scene: Scene) -> None:
    for name in ("activation", "win_back", "vip"):
        scene.tick(name)
        scene.after(minutes=1)
    scene.execute("UPDATE skene_deferred SET reason = 'outranked' WHERE reason = 'cap'")
    first = (replace(plan, priority=10 if plan.name == "win_back" else 0) for plan in scene.project.loops)

    found = pressure(scene, first)

    assert found.waiting == [Waiting("vip", "outranked", 1, [ADA])]
    assert found.outranked == [KeptFrom("vip", "win_back", 1, 0)]
