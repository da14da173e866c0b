"""The loop on real customers: CDNOW's purchases of 1997, a tick a day, against an oracle that shares no code."""

import gzip
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import cdnow_oracle as oracle
import pandas as pd
import pytest
from forked import Forked, dagster, skene_dagster
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    text,
)

ROOT = Path(__file__).parents[2]
FIRST = datetime(1997, 1, 20, 9)
DAYS = 33
INSIDE = datetime(9999, 12, 31)

SETTINGS = """\
sender:
  from: The Shop <shop@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe?u={{user.id}}
"""

LOOP = """\
type: retention
steps:
  - trigger: {type: schedule, cron: "0 9 * * *"}
    condition:
      type: query
      query: SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '14 days' AND re_engagement_sent = false
    action:
      type: email
      template: re_engagement
      personalization: {name: "{{user.name}}", lastActivity: "{{user.last_activity_at}}"}
      repeat: 28d
"""

users = Table(
    "users",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("email", String(255), nullable=False),
    Column("name", String(100)),
    Column("last_activity_at", DateTime),
    Column("re_engagement_sent", Boolean, nullable=False),
)


@pytest.fixture
def purchases() -> pd.DataFrame:
    return oracle.purchases(ROOT / "data" / "cdnow.csv.gz")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops" / "retention.yaml").write_text(LOOP, encoding="utf-8")
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "dagster").mkdir()
    return tmp_path


@pytest.fixture
def shop(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    users.metadata.create_all(engine)
    yield engine
    engine.dispose()


def a_day_passes(shop: Engine, purchases: pd.DataFrame, as_of: datetime, known: set[int]) -> None:
    """The shop's own work: new customers appear, and whoever bought today was active today."""
    last = oracle.last_purchase(purchases, as_of)
    today = last[last > as_of - timedelta(days=1)] if known else last
    with shop.begin() as connection:
        new = [int(c) for c in today.index if int(c) not in known]
        if new:
            connection.execute(
                insert(users),
                [
                    {
                        "id": c,
                        "email": f"c{c}@example.com",
                        "name": f"Customer {c}",
                        "last_activity_at": last[c].to_pydatetime(),
                        "re_engagement_sent": False,
                    }
                    for c in new
                ],
            )
        for c in today.index:
            if int(c) in known:
                connection.execute(
                    users.update().where(users.c.id == int(c)).values(last_activity_at=last[c].to_pydatetime())
                )
        known.update(new)


def execute(project: Path, url: str, as_of: datetime) -> None:
    tags = json.dumps({"skene/as_of": f"{as_of.isoformat()}+00:00"})
    command = ("job", "execute", "-m", "skene_dagster.definitions", "-j", "retention", "--tags", tags)
    done(Forked(dagster, *command, cwd=project, env=environment(project, url), log=project / "log"))


def migrate(project: Path, url: str) -> None:
    done(Forked(skene_dagster, "migrate", cwd=project, env=environment(project, url), log=project / "log"))


def done(process: Forked) -> None:
    assert process.wait(120) == 0, process.log.read_text(encoding="utf-8")[-3000:]


def environment(project: Path, url: str) -> dict[str, str]:
    paths = {"SKENE_PROJECT": project, "DAGSTER_HOME": project / "dagster", "PYTHONPATH": ROOT}
    return {**os.environ, "SKENE_DATABASE_URL": url, **{name: str(path) for name, path in paths.items()}}


def ids(shop: Engine, query: str, at: datetime | None = None) -> frozenset[int]:
    statement = text(query).bindparams(bindparam("at", at, DateTime)) if at else text(query)
    with shop.connect() as connection:
        return frozenset(connection.execute(statement).scalars())


@pytest.mark.long
def test_thirty_three_days_of_cdnow_equal_the_oracle(
    project: Path, database_url: str, shop: Engine, purchases: pd.DataFrame
) -> None:
    expected = oracle.ticks(purchases, FIRST, DAYS)
    assert any(tick.exited for tick in expected)
    assert sum(len(tick.mailed - tick.entered) for tick in expected) > 50  # they had to wait for `repeat`
    known: set[int] = set()
    migrate(project, database_url)

    for tick in expected:
        a_day_passes(shop, purchases, tick.as_of, known)
        execute(project, database_url, tick.as_of)

        members = "SELECT user_id FROM skene_segment_members WHERE "
        assert ids(shop, members + "exited_at = :at", INSIDE) == tick.members
        assert ids(shop, members + "entered_at = :at", tick.as_of) == tick.entered
        assert ids(shop, members + "exited_at = :at", tick.as_of) == tick.exited
        mailed = "SELECT user_id FROM skene_sends WHERE state = 'accepted' AND as_of = :at"
        assert ids(shop, mailed, tick.as_of) == tick.mailed
    delivered = Counter(message_from_bytes(file.read_bytes())["To"] for file in project.rglob("*.eml"))
    assert delivered == Counter(f"c{customer}@example.com" for tick in expected for customer in tick.mailed)


def test_the_data_are_the_ones_that_were_given() -> None:
    with gzip.open(ROOT / "data" / "cdnow.csv.gz", "rt", encoding="utf-8") as file:
        lines = sum(1 for _ in file)

    assert lines == 69_660  # 69,659 purchases and the header
