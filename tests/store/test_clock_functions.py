"""Each clock function says the tick's time in the zone that docs/loop-format.md has for it, on every database."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text

from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query, vocabulary
from skene_dagster.product.tick_clock import bound
from skene_dagster.settings import Users
from skene_dagster.store.engine import is_sqlite

TICK = datetime(2026, 3, 13, 23, 30, 15)
BERLIN = ZoneInfo("Europe/Berlin")
IN_UTC, DATE_OF_THE_ZONE, DATE_IN_UTC = "'2026-03-13 23:30:15'", "'2026-03-14'", "'2026-03-13'"
SAYS = {
    **dict.fromkeys(("NOW()", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "UTC_TIMESTAMP()"), IN_UTC),
    "UNIX_TIMESTAMP()": "1773444615",
    "CURDATE()": DATE_OF_THE_ZONE,
    "CURRENT_DATE": DATE_OF_THE_ZONE,
    "UTC_DATE()": DATE_IN_UTC,
    "DATE(NOW())": DATE_IN_UTC,
    # TiDB 8.5, 2026-11: a computed time is compared with a text letter by letter, fraction and all.
    **dict.fromkeys(("CURTIME()", "CURRENT_TIME", "UTC_TIME()"), "TIME('23:30:15')"),
}
NEED_TIDB = ("CURTIME()", "CURRENT_TIME", "UTC_TIME()")


@pytest.fixture
def product(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL)"))
        connection.execute(text("INSERT INTO users VALUES (1)"))
    return engine


@pytest.mark.parametrize("function", SAYS)
def test_a_clock_function_says_the_tick_s_time_in_its_zone(product: Engine, function: str) -> None:
    sql = f"SELECT id FROM users WHERE {function} = {SAYS[function]}"
    query = read_query(sql, users=Users(), place=Place("loops/x.yaml", 1))
    written = query.sqlite if is_sqlite(product) else query.mysql
    if written is None:
        assert function in NEED_TIDB
        return

    with product.connect() as connection:
        selected = connection.execute(bound(text(written), TICK, BERLIN)).scalars().all()

    assert selected == [1]


def test_the_page_has_every_clock_function_in_its_zone() -> None:
    page = (Path(__file__).parents[2] / "docs" / "loop-format.md").read_text(encoding="utf-8")
    table = page.partition("| function | is | zone |")[2].partition("\n\n")[0]
    rows = [row.strip("|").split("|") for row in table.splitlines()[2:]]
    zones = {function: row[2].strip() for row in rows for function in re.findall("`([^`]+)`", row[0])}

    assert zones.keys() == SAYS.keys()
    assert {zones[function] for function in SAYS if SAYS[function] == DATE_OF_THE_ZONE} == {"the trigger's"}
    assert {zones[function] for function in SAYS if SAYS[function] != DATE_OF_THE_ZONE} == {"UTC"}


def test_every_clock_function_is_among_them() -> None:
    known = vocabulary.NOW | vocabulary.TODAY | vocabulary.UTC_TODAY | vocabulary.TIME_OF_DAY | vocabulary.SECONDS

    assert {function.removesuffix("()") for function in SAYS} - {"DATE(NOW())"} == known
