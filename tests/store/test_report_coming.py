"""What is known of the coming seven days: emails by day and loop, what waits and for what, and when steps run next."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE
from explained_world import Scene, make_scene
from sqlalchemy import Engine, insert

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.ledger import scope_of
from skene_dagster.delivery.ledger.health import decided_since
from skene_dagster.report.coming import Coming, Line, Waits, read
from skene_dagster.store.engine import reading, transaction
from skene_dagster.store.tables import batches

BEGIN = datetime(2026, 11, 2, 9)
LIVE_ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}
ADA = 1
ASKED_AGAIN = Line("vip", "asked again", (0, 0, 0, 0, 0, 1, 0), 0)
FOLLOWS = Line("win_back", "follows", (0, 0, 0, 0, 0, 1, 0), 0)


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Scene:
    """Two days ago Ada got two emails, as many as a cap allows; a third may follow the second after seven days."""
    scene = make_scene(engine, tmp_path / "project", BEGIN, environ=LIVE_ENVIRON)
    scene.add(ADA, dormant=1, vip=1)
    for name in ("activation", "win_back", "vip"):
        scene.tick(name)
        scene.after(minutes=1)
    scene.now = BEGIN + timedelta(days=2, hours=1)
    return scene


def coming(scene: Scene, loop: str | None = None) -> Coming:
    plans = [plan for plan in scene.project.loops if loop in (None, plan.name)]
    return reading(
        scene.engine,
        lambda c: read(c, scene.settings, plans, LIVE.name, scene.now, decided_since(c, LIVE.name, BEGIN)),
    )


def test_who_waits_for_a_cap_or_follows_an_email_is_counted_on_the_day_of_the_tick(scene: Scene) -> None:
    found = coming(scene)

    assert (found.days[0], len(found.days)) == (scene.now.date(), 7)
    assert found.lines == [ASKED_AGAIN, FOLLOWS]
    assert found.of_kind("asked again") == [0, 0, 0, 0, 0, 1, 0]
    assert found.waits == []
    # At nine; it is ten.
    assert {one.at for one in found.ticks} == {BEGIN + timedelta(days=3)}
    assert coming(scene, "win_back").lines == [FOLLOWS]


def test_who_is_asked_again_after_a_tick_waits_for_the_next_one(scene: Scene) -> None:
    scene.execute("UPDATE skene_deferred SET ask_at = '2026-11-09 09:00:00.000001' WHERE reason = 'cap'")

    assert coming(scene, "vip").lines == [Line("vip", "asked again", (0, 0, 0, 0, 0, 0, 1), 0)]


def test_who_has_left_is_not_asked_again(scene: Scene) -> None:
    scene.change(ADA, vip=0)
    scene.refresh("vip")

    assert coming(scene).lines == [FOLLOWS]


def test_decided_emails_leave_when_their_hour_comes(scene: Scene) -> None:
    hour = scene.now + timedelta(days=1)
    shared = {"mode": LIVE.name, "loop": "vip", "step": "main", "as_of": BEGIN, "reserved_at": BEGIN, "attempts": 0}
    rows = [
        {"batch_id": "now", "state": "frozen", "size": 3, "not_before": None, "due_at": None},
        {"batch_id": "then", "state": "reserved", "size": 5, "not_before": hour, "due_at": hour},
        {"batch_id": "left", "state": "settled", "size": 100, "not_before": None, "due_at": None},
    ]
    with scene.engine.begin() as connection:
        connection.execute(insert(batches), [shared | row for row in rows])

    found = coming(scene, "vip")

    assert found.lines[1] == Line("vip", "decided", (3, 5, 0, 0, 0, 0, 0), 0)
    said = "5 emails, for their recipients' hours or their slice; the last until 05 Nov 2026, 10:00 UTC"
    assert found.waits == [Waits("vip", said)]

    transaction(scene.engine, lambda c: controls.pause(c, "vip", scene.now))
    paused = coming(scene, "vip")
    assert paused.lines == []
    assert [(one.said, one.to_do) for one in paused.waits] == [
        ("3 emails of main, for the pause to end", "skene-dagster resume vip"),
        ("5 emails of main, for the pause to end", "skene-dagster resume vip"),
        ("1 person in main, for the pause to end", "skene-dagster resume vip"),
    ]


def test_who_waits_for_an_approval_is_on_no_day(scene: Scene) -> None:
    plan = scene.plan("vip")
    scope, said = scope_of(LIVE.name, plan, plan.steps[0]), "A first wave of 1,200 waits."
    transaction(scene.engine, lambda c: ledger.hold(c, scope, "first_wave", BEGIN, {"first_wave": said}))

    found = coming(scene, "vip")

    assert found.lines == []
    (waits,) = found.waits
    assert waits.said == f"1 person in main: {said}"
    assert "skene-dagster approve vip" in waits.to_do
