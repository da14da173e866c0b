"""Real purchases of 18 months: levels, streaks and tenth purchases are those of a computation in pandas."""

import gzip
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, select, text

from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import Settings, load
from skene_dagster.store import schema
from skene_dagster.store.engine import open_engine
from skene_dagster.store.tables import OPEN, engagement_levels, milestones

DATA = Path(__file__).parents[2] / "data" / "cdnow.csv.gz"
SETTINGS = """\
events: {table: purchases, at: created_at, arrived: created_at}
levels: {new: 30d, slipping: 30d, dormant: 90d, resurrected: 30d, window: 56d, power: 5}
milestones:
  tenth: {title: Ten purchases, event: purchase, count: 10}
  streak: {title: Two days in a row, streak: 2}
"""
TICKS = [datetime(1997, 2, 1), datetime(1997, 4, 1), datetime(1997, 4, 2), datetime(1997, 9, 1), datetime(1998, 7, 1)]


def purchases() -> pd.DataFrame:
    with gzip.open(DATA) as file:
        rows = pd.read_csv(BytesIO(file.read()))
    rows["at"] = pd.to_datetime(rows["date"].astype(str)) + pd.Timedelta(hours=12)
    ordered: pd.DataFrame = rows.sort_values(["at", "customer_id"]).reset_index(drop=True)
    return ordered


def levels(rows: pd.DataFrame, as_of: datetime) -> pd.Series:
    """Name the level of every customer by the words of docs/engagement.md."""
    seen = rows[rows["at"] < as_of].sort_values(["customer_id", "at"])
    by = seen.groupby("customer_id")["at"]
    first, last = by.min(), by.max()
    came_back = seen[by.diff() >= pd.Timedelta(days=90)].groupby("customer_id")["at"].max().reindex(first.index)
    day = as_of.replace(hour=0) - timedelta(days=55)
    recent = seen[seen["at"] >= day]
    days = recent.groupby("customer_id")["at"].apply(lambda at: at.dt.date.nunique()).reindex(first.index).fillna(0)
    level = pd.Series("active", index=first.index)
    level[days >= 5] = "power"
    level[as_of - first < timedelta(days=30)] = "new"
    level[as_of - came_back < timedelta(days=30)] = "resurrected"
    level[as_of - last >= timedelta(days=30)] = "slipping"
    level[as_of - last >= timedelta(days=90)] = "dormant"
    return level


def tenth(rows: pd.DataFrame, as_of: datetime) -> dict[int, object]:
    seen = rows[rows["at"] < as_of].sort_values(["customer_id", "at"])
    number = seen.groupby("customer_id").cumcount() + 1
    found = seen[number == 10]
    return dict(zip(found["customer_id"].tolist(), found["at"].dt.date.tolist(), strict=True))


def two_in_a_row(rows: pd.DataFrame, as_of: datetime) -> dict[int, object]:
    seen = rows[rows["at"] < as_of].assign(day=lambda found: found["at"].dt.normalize())
    days = seen[["customer_id", "day"]].drop_duplicates().sort_values(["customer_id", "day"])
    second = days[days.groupby("customer_id")["day"].diff() == pd.Timedelta(days=1)]
    first = second.groupby("customer_id")["day"].min()
    return dict(zip(first.index.tolist(), first.dt.date.tolist(), strict=True))


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_eighteen_months_of_purchases_are_what_pandas_says(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    settings = load(tmp_path, {"SKENE_DATABASE_URL": database_url})
    engine = open_engine(database_url)
    try:
        _run(engine, settings)
    finally:
        engine.dispose()


def _run(engine: Engine, settings: Settings) -> None:
    rows = purchases()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id BIGINT NOT NULL PRIMARY KEY)"))
        connection.execute(
            text(
                "CREATE TABLE purchases (id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, "
                "name VARCHAR(20) NOT NULL, created_at DATETIME NOT NULL)"
            )
        )
        connection.execute(text("CREATE INDEX purchases_user ON purchases (user_id, created_at)"))
    schema.upgrade(engine, settings.users)
    before = datetime(1900, 1, 1)
    for tick in TICKS:
        new = rows[(rows["at"] >= before) & (rows["at"] < tick)]
        _insert(engine, new)
        roll_up(
            engine,
            plan=plan_usage(settings),
            users=settings.users,
            as_of=tick,
            clock=partial(max, tick, tick),
            run_id="cdnow",
        )
        before = tick
        with engine.connect() as connection:
            open_ = select(engagement_levels.c.user_id, engagement_levels.c.level)
            found = dict(connection.execute(open_.where(engagement_levels.c.left_at == OPEN)).all())
            reached = connection.execute(select(milestones)).all()
        expected = levels(rows, tick)
        assert found == dict(zip(expected.index.tolist(), expected.tolist(), strict=True))
        assert {row.user_id: row.reached_on for row in reached if row.milestone == "tenth"} == tenth(rows, tick)
        assert {row.user_id: row.reached_on for row in reached if row.milestone == "streak"} == two_in_a_row(rows, tick)


def _insert(engine: Engine, new: pd.DataFrame) -> None:
    columns = (new.index.tolist(), new["customer_id"].tolist(), new["at"].tolist())
    said = [
        {"id": identity, "user": user, "at": f"{at:%Y-%m-%d %H:%M:%S}"}
        for identity, user, at in zip(*columns, strict=True)
    ]
    with engine.begin() as connection:
        for start in range(0, len(said), 5000):
            connection.execute(
                text("INSERT INTO purchases VALUES (:id, :user, 'purchase', :at)"), said[start : start + 5000]
            )
