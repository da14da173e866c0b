"""What is said of a loop that is well, and may still surprise: in which words, and when it is left out."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from template_world import email, plan_of

from skene_dagster.checks.schedule_gaps import Gap, Lost
from skene_dagster.cli.validate import notices
from skene_dagster.errors import Place
from skene_dagster.loops.dialect.answers.nulls import Forgotten
from skene_dagster.loops.dialect.answers.repeats import Repeated
from skene_dagster.loops.sql_reads import Window
from skene_dagster.loops.triggers import Schedule

NOON = datetime(2026, 3, 2, 12)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BY_DATE = Window("users.seen", "moment < :as_of_date", calendar=False, line=1)
BY_CLOCK = Window("users.seen", "moment < :as_of", calendar=False, line=1)
OVERLAP = "Windows may overlap: a user who is in two of them in a row is mailed once."
APART = "ticks are up to 25 hours apart, and a window is shorter."


def gaps(number: int, length: timedelta = HOUR) -> tuple[Gap, ...]:
    return tuple(Gap(NOON + n * DAY, NOON + n * DAY + length) for n in range(number))


def left_out(found: Lost, window: Window = BY_CLOCK, zone: str = "UTC") -> str:
    return notices._left_out(found, window, Schedule("0 9 * * *", zone))


@pytest.mark.parametrize(
    ("found", "when"),
    [
        pytest.param(gaps(100), "between 12:00 and 13:00 UTC", id="each day"),
        pytest.param(
            gaps(99), "between 02 Mar 2026, 12:00 and 13:00 UTC (and in 98 more such gaps within a year)", id="seldom"
        ),
        pytest.param(
            gaps(100, DAY),
            "between 02 Mar 2026, 12:00 and 03 Mar 2026, 12:00 UTC (and in 99 more such gaps within a year)",
            id="for a day",
        ),
        pytest.param(gaps(100, DAY - HOUR), "between 12:00 and 11:00 UTC", id="for less than a day"),
    ],
)
def test_gaps_of_each_day_are_told_by_their_time_and_others_by_their_date(found: tuple[Gap, ...], when: str) -> None:
    assert left_out(Lost(found, 25 * HOUR, "")) == (
        f"Users whose users.seen is {when} are in no tick's window: {APART} {OVERLAP}"
    )


@pytest.mark.parametrize(
    ("window", "number", "why"),
    [
        pytest.param(BY_DATE, 100, "CURDATE() is the date in UTC, and users.seen is in UTC.", id="by date, each day"),
        pytest.param(BY_DATE, 1, APART, id="by date, once"),
        pytest.param(BY_CLOCK, 100, APART, id="by the clock"),
    ],
)
def test_why_there_are_gaps_is_told(window: Window, number: int, why: str) -> None:
    assert f"in no tick's window: {why} Windows" in left_out(Lost(gaps(number), 25 * HOUR, ""), window)


def test_what_to_write_is_told_with_each_condition_on_a_line_of_its_own() -> None:
    said = left_out(Lost(gaps(1), 25 * HOUR, "seen >= a AND seen < b"))

    assert said.endswith(f"{OVERLAP} Replace the condition on users.seen with:\n  seen >= a\n  AND seen < b")


def test_a_gap_is_told_in_the_schedules_zone_too() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    over_midnight = Gap(datetime(2026, 3, 2, 22, 30), datetime(2026, 3, 2, 23, 30))

    assert notices._between(Gap(NOON, NOON + HOUR), berlin, "%H:%M") == (
        "between 12:00 and 13:00 UTC (13:00 and 14:00 CET)"
    )
    assert notices._between(over_midnight, berlin, "%d %b, %H:%M") == (
        "between 02 Mar, 22:30 and 23:30 UTC (02 Mar, 23:30 and 03 Mar, 00:30 CET)"
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            Repeated("", "u.id", shown=False, line=0),
            "A user in both SELECTs is returned twice, and the run fails. Write UNION instead of UNION ALL.",
            id="of both SELECTs",
        ),
        pytest.param(
            Repeated("orders", "u.id", shown=True, line=0),
            "A user with several rows in orders is returned several times, and the run fails. "
            "Write GROUP BY u.id, and MAX(…) or similar around the columns of orders.",
            id="of a table whose columns are shown",
        ),
        pytest.param(
            Repeated("orders", "u.id", shown=False, line=0),
            "A user with several rows in orders is returned several times, and the run fails. "
            "Write SELECT DISTINCT u.id, or WHERE EXISTS (SELECT 1 FROM orders WHERE …) instead of the join.",
            id="of a table that is only joined",
        ),
    ],
)
def test_a_user_who_may_come_twice_is_told_with_what_to_write(found: Repeated, said: str) -> None:
    assert notices._comes_twice(found, "A user") == said


@pytest.mark.parametrize(
    ("column", "nullable", "may"),
    [
        pytest.param("Last_seen", None, True, id="its name says so"),
        pytest.param("seen", None, False, id="its name does not say so"),
        pytest.param("Seen", frozenset({"seen"}), True, id="the database says so"),
        pytest.param("last_seen", frozenset({"seen"}), False, id="the database says otherwise"),
    ],
)
def test_a_column_may_be_null_where_the_database_or_its_name_says_so(
    column: str, nullable: frozenset[str] | None, may: bool
) -> None:
    assert notices._may_be_null(Forgotten(column, "", 0), nullable) == may


def test_a_notice_stands_at_its_line_below_where_the_text_begins() -> None:
    assert notices._below(Place("loops/a.yaml", 7), 2) == Place("loops/a.yaml", 9)
    assert notices._below(Place("loops/a.py", part="query"), 2) == Place("loops/a.py", part="query")


def test_the_next_tick_of_each_schedule_is_told() -> None:
    plan, _ = plan_of(email())

    assert notices.next_ticks(plan, NOON) == "Tue 03 Mar 2026, 09:00 UTC"


def test_a_day_and_a_weekday_are_told_with_the_next_five_ticks() -> None:
    plan, _ = plan_of(email())

    (notice,) = notices._of_a_schedule(plan, 0, Schedule("0 9 13 * 5", "UTC"), NOON)

    why, *following = notice.says.splitlines()
    assert why.startswith(
        "Day 13 OR weekday 5: it runs on every day that matches either, not only on days that match both"
    )
    assert why.endswith("The next 5 ticks (UTC):")
    assert following == [
        "  Fri 06 Mar 2026, 09:00",
        "  Fri 13 Mar 2026, 09:00",
        "  Fri 20 Mar 2026, 09:00",
        "  Fri 27 Mar 2026, 09:00",
        "  Fri 03 Apr 2026, 09:00",
    ]
