"""Who has used up what their plan allows: counted in whole days, today included, by the names that count."""

from datetime import date, datetime, timedelta

import prepared_tables
import pytest
from sqlalchemy import Engine, insert, text

from skene_dagster.behaviour.usage_limits import used_up
from skene_dagster.loops.plan import UsedUp
from skene_dagster.settings import Users
from skene_dagster.store.tables import user_days

NOON = datetime(2026, 3, 10, 12)
WEEK = timedelta(days=7)
USERS = Users(plan="plan")
GONE = 99


@pytest.fixture
def database(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY, plan VARCHAR(20))"))
        plans = {1: "free", 2: "free", 3: "team", 4: "unlimited", 5: None}
        connection.execute(
            text("INSERT INTO users VALUES (:id, :plan)"), [{"id": id_, "plan": plan} for id_, plan in plans.items()]
        )
    prepared_tables.make(engine, USERS)
    return engine


def did(engine: Engine, user: int, uses: int, *, days_ago: int = 0, name: str = "export") -> None:
    day = date(2026, 3, 10) - timedelta(days=days_ago)
    moment = datetime(day.year, day.month, day.day)
    row = {"user_id": user, "day": day, "event": name, "uses": uses, "first_at": moment, "last_at": moment}
    with engine.begin() as connection:
        connection.execute(insert(user_days), row)


def found(engine: Engine, pattern: str | None = None, among: list[int] | None = None) -> list[tuple[int, int, float]]:
    condition = UsedUp((("free", 3.0), ("team", 4.5)), WEEK, pattern)
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(used_up(condition, NOON, USERS, among=among)))


@pytest.mark.parametrize(
    ("uses", "is_used_up"),
    [
        pytest.param([(2, 0)], False, id="less than allowed"),
        pytest.param([(3, 0)], True, id="as often as allowed"),
        pytest.param([(4, 0)], True, id="more often"),
        pytest.param([(2, 0), (1, 6)], True, id="once on the first day of the period"),
        pytest.param([(2, 0), (1, 7)], False, id="once on the day before the period"),
        pytest.param([(2, 0), (1, -1)], False, id="once on the day after today"),
    ],
)
def test_uses_are_those_of_the_days_of_the_period(
    database: Engine, uses: list[tuple[int, int]], *, is_used_up: bool
) -> None:
    for number, days_ago in uses:
        did(database, 1, number, days_ago=days_ago)

    assert found(database) == ([(1, sum(number for number, _ in uses), 3.0)] if is_used_up else [])


@pytest.mark.parametrize(
    ("pattern", "names", "uses"),
    [
        pytest.param(None, ["export", "share"], 4, id="all events"),
        pytest.param(None, ["export", "feature:big"], None, id="not the uses of a feature, which are events as well"),
        pytest.param("export", ["export", "exported"], None, id="one name"),
        pytest.param("export*", ["export", "exported"], 4, id="what begins so"),
        pytest.param("feature:big", ["feature:big", "feature:other"], None, id="one feature"),
        pytest.param("feature:*", ["feature:big", "feature:other"], 4, id="features"),
        pytest.param("a_b", ["a_b", "axb"], None, id="a letter that LIKE takes for any"),
    ],
)
def test_uses_are_of_the_names_that_count(
    database: Engine, pattern: str | None, names: list[str], uses: int | None
) -> None:
    for name in names:
        did(database, 1, 2, name=name)

    assert found(database, pattern) == ([] if uses is None else [(1, uses, 3.0)])


def test_each_user_has_the_limit_of_their_plan_and_who_has_none_is_never_found(database: Engine) -> None:
    for user in (1, 2, 3, 4, 5, GONE):
        did(database, user, 4)

    before = found(database)
    did(database, 3, 1, days_ago=1)

    assert before == [(1, 4, 3.0), (2, 4, 3.0)]
    assert found(database) == [*before, (3, 5, 4.5)]
    assert found(database, among=[2, 3, 4]) == [(2, 4, 3.0), (3, 5, 4.5)]
