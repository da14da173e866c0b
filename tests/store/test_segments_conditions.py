"""What a condition may read and return: its clock is the tick's, and what it says wrong is told at its line."""

from dataclasses import replace
from datetime import timedelta

import pytest
from segment_world import World, loop
from sqlalchemy import Engine

from skene_dagster.errors import QueryRejected, SegmentError, SegmentTimeout


def test_columns_of_the_condition_are_kept_and_follow_their_changes(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2, 3)
    world.do("UPDATE users SET plan = 'pro ''é'' \"x\"' WHERE id = 1")
    plan = loop("SELECT id, plan FROM users WHERE dormant = 1", row_columns=("plan",))
    world.refresh(0, plan)
    before = world.attributes()
    world.do("UPDATE users SET plan = 'free' WHERE id = 2")

    refreshed = world.refresh(1, plan)

    assert [before[1], before[2]] == [world.kept(plan="pro 'é' \"x\""), world.kept(plan=None)]
    assert world.attributes() == before | {2: world.kept(plan="free")}
    assert (refreshed.entered, refreshed.exited) == (0, 0)


def test_the_clock_of_a_condition_is_the_ticks(engine: Engine) -> None:
    world = World(engine)
    world.add(1, 2)
    world.do("CREATE TABLE visits (user_id BIGINT, at VARCHAR(26))")
    world.do("INSERT INTO visits VALUES (1, '2026-03-01 08:59:59.999999'), (2, '2026-03-01 09:00:00.000001')")
    plan = loop("SELECT user_id FROM visits WHERE at < :as_of", key="user_id", tables=("visits",))

    world.refresh(0, plan)

    assert world.inside() == [1]


@pytest.mark.parametrize(
    ("timezone", "day"),
    [
        pytest.param("UTC", "2026-03-01", id="UTC"),
        pytest.param("Pacific/Auckland", "2026-03-01", id="the same day further east"),
        pytest.param("Pacific/Kiritimati", "2026-03-01", id="still the same day"),
        pytest.param("Pacific/Pago_Pago", "2026-02-28", id="the day before in the west"),
    ],
)
def test_the_date_of_a_condition_is_the_ticks_in_the_triggers_zone(engine: Engine, timezone: str, day: str) -> None:
    world = World(engine)
    world.add(1, 2)
    world.do("UPDATE users SET plan = :day WHERE id = 1", {"day": day})
    plan = loop("SELECT id FROM users WHERE plan = :as_of_date", timezone=timezone)

    world.refresh(0, plan)

    assert world.inside() == [1]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        pytest.param("SELECT id FROM users WHERE domant = 1", "domant", id="a column that is not there"),
        pytest.param("SELECT id FROM customers", "customers", id="a table that is not there"),
        pytest.param("SELECT name AS id FROM (SELECT 1 AS id) AS x", "name", id="a column in between"),
    ],
)
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "staged"])
def test_a_condition_that_the_database_refuses_is_told_in_its_words_at_its_line(
    engine: Engine, sql: str, words: str, *, plain: bool
) -> None:
    world = World(engine)

    with pytest.raises(SegmentError) as refused:
        world.refresh(0, loop(sql, plain=plain))

    assert "loops/retention.yaml:7" in str(refused.value)
    assert words in str(refused.value)
    assert world.tables() == []


def test_what_a_condition_needs_tidb_for_is_named(engine: Engine) -> None:
    world = World(engine)
    plan = loop(sqlite=None, needs_tidb="REGEXP_LIKE")
    if not world.is_sqlite:
        pytest.skip("a server gets its own text")

    with pytest.raises(QueryRejected, match="needs TiDB: REGEXP_LIKE"):
        world.refresh(0, plan)


def test_a_condition_that_takes_longer_than_its_timeout_is_stopped_and_the_next_refresh_goes_on(engine: Engine) -> None:
    world = World(engine)
    world.add(*range(300))
    endless = loop(
        "SELECT a.id FROM users a, users b, users c, users d, users e WHERE a.id + b.id + c.id + d.id + e.id < 0"
    )
    hasty = replace(endless, steps=(replace(endless.steps[0], timeout=timedelta(seconds=1)),))

    with pytest.raises(SegmentTimeout, match=r"longer than its timeout of 1s") as late:
        world.refresh(0, hasty)

    assert "loops/retention.yaml:7" in str(late.value)
    assert not late.value.retryable
    assert world.clearance() is None
    assert world.tables() == []
    assert world.refresh(0).members == 300
