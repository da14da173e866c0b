"""Whom no tick's window holds is found by evaluating the windows at the schedule's own ticks, and so is its cure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count, islice
from zoneinfo import ZoneInfo

import pytest

from skene_dagster.checks.schedule_gaps import Gap, Lost, bare, looks_ahead, lost, speaks_of_the_future
from skene_dagster.errors import Place
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.sql_reads import Window
from skene_dagster.loops.triggers import Schedule
from skene_dagster.settings import Users
from skene_dagster.ticks import in_utc, ticks

NOW = datetime(2026, 11, 29, 12)
YESTERDAY = "created_at >= CURDATE() - INTERVAL 1 DAY AND created_at < CURDATE()"
A_DAY = "created_at >= NOW() - INTERVAL 1 DAY"
A_WEEK_AGO = "last_activity_at >= NOW() - INTERVAL 8 DAY AND last_activity_at < NOW() - INTERVAL 7 DAY"


def windows(sql: str) -> tuple[Window, ...]:
    return read_query(sql, users=Users(), place=Place("loops/x.yaml", 1)).windows


def found(condition: str, cron: str, timezone: str) -> Lost | None:
    (window,) = windows(f"SELECT id FROM users WHERE {condition}")
    return lost(window, map(in_utc, ticks(Schedule(cron, timezone), NOW)), ZoneInfo(timezone))


def found_at(condition: str, ticks: Iterable[datetime]) -> Lost | None:
    (window,) = windows(f"SELECT id FROM users WHERE {condition}")
    return lost(window, iter(ticks), ZoneInfo("UTC"))


def each(period: timedelta) -> Iterable[datetime]:
    return (NOW + number * period for number in count())


def hours(lost: Lost | None) -> list[str]:
    return [*dict.fromkeys(f"{gap.start:%H:%M}-{gap.end:%H:%M}" for gap in lost.gaps)] if lost else []


@pytest.mark.parametrize(
    ("condition", "cron", "timezone", "left_out", "instead"),
    [
        pytest.param(
            YESTERDAY, "0 0 * * *", "Europe/Berlin", ["23:00-00:00", "22:00-00:00"], "25 HOUR", id="Berlin at midnight"
        ),
        pytest.param(
            YESTERDAY, "0 9 * * *", "Australia/Sydney", ["22:00-00:00", "23:00-00:00"], "25 HOUR", id="Sydney at nine"
        ),
        pytest.param(YESTERDAY, "0 7 * * *", "Asia/Tokyo", ["22:00-00:00"], "1 DAY", id="Tokyo at seven"),
        pytest.param(YESTERDAY, "0 10 * * *", "Pacific/Auckland", ["21:00-00:00", "22:00-00:00"], "25 HOUR", id="far"),
        pytest.param(
            "created_at BETWEEN CURDATE() - INTERVAL '1 day' AND CURDATE()",
            "0 7 * * *",
            "Asia/Tokyo",
            ["22:00-00:00"],
            "1 DAY",
            id="written with BETWEEN",
        ),
        pytest.param(
            "DATE(created_at) = DATE_SUB(CURRENT_DATE, INTERVAL 1 DAY)",
            "0 7 * * *",
            "Asia/Tokyo",
            ["22:00-00:00"],
            "1 DAY",
            id="written with DATE()",
        ),
        pytest.param(
            "DATEDIFF(CURDATE(), created_at) = 1",
            "0 7 * * *",
            "Asia/Tokyo",
            ["22:00-00:00"],
            "1 DAY",
            id="written with DATEDIFF()",
        ),
        pytest.param(
            "DATE(created_at) = CURDATE()",
            "0 9 * * *",
            "UTC",
            ["09:00-00:00"],
            "1 DAY",
            id="today's, before it is over",
        ),
    ],
)
def test_hours_that_a_date_leaves_out_are_found_each_day(
    condition: str, cron: str, timezone: str, left_out: list[str], instead: str
) -> None:
    missed = found(condition, cron, timezone)

    assert missed is not None
    assert hours(missed) == left_out
    assert len(missed.gaps) in (365, 366)
    assert missed.instead == f"created_at >= NOW() - INTERVAL {instead}"


@pytest.mark.parametrize(
    ("condition", "cron", "timezone", "gap", "instead"),
    [
        pytest.param(
            A_DAY,
            "0 9 * * *",
            "Europe/Berlin",
            ("2027-10-30 07:00", "2027-10-30 08:00"),
            "created_at >= NOW() - INTERVAL 25 HOUR",
            id="a day in Berlin",
        ),
        pytest.param(
            A_DAY,
            "0 9 * * *",
            "Australia/Lord_Howe",
            ("2027-04-02 22:00", "2027-04-02 22:30"),
            "created_at >= NOW() - INTERVAL 25 HOUR",
            id="a day where the clocks change by half an hour",
        ),
        pytest.param(
            "created_at >= NOW() - INTERVAL 7 DAY",
            "0 9 * * MON",
            "Europe/Berlin",
            ("2027-10-25 07:00", "2027-10-25 08:00"),
            "created_at >= NOW() - INTERVAL 169 HOUR",
            id="a week",
        ),
        pytest.param(
            "created_at >= NOW() - INTERVAL 1 MONTH",
            "0 9 1 * *",
            "Europe/Berlin",
            ("2027-10-01 07:00", "2027-10-01 08:00"),
            "created_at >= NOW() - INTERVAL 32 DAY",
            id="a month",
        ),
        pytest.param(
            A_WEEK_AGO,
            "20 9 * * *",
            "Europe/Berlin",
            ("2027-10-23 07:20", "2027-10-23 08:20"),
            "last_activity_at >= NOW() - INTERVAL 193 HOUR AND last_activity_at < NOW() - INTERVAL 7 DAY",
            id="a day, a week ago",
        ),
        pytest.param(
            "DATEDIFF(NOW(), created_at) = 3",
            "0 0 * * *",
            "Europe/London",
            ("2027-10-28 00:00", "2027-10-29 00:00"),
            "created_at >= NOW() - INTERVAL 73 HOUR AND created_at < NOW() - INTERVAL 2 DAY",
            id="a whole day, where ticks are now before and now after midnight UTC",
        ),
        pytest.param(
            "u.expires_at BETWEEN NOW() AND NOW() + INTERVAL 1 DAY",
            "0 9 * * *",
            "Europe/Berlin",
            ("2027-10-31 07:00", "2027-10-31 08:00"),
            "u.expires_at >= NOW() AND u.expires_at < NOW() + INTERVAL 25 HOUR",
            id="a day ahead",
        ),
    ],
)
def test_an_hour_that_a_change_of_the_clocks_leaves_out_is_found(
    condition: str, cron: str, timezone: str, gap: tuple[str, str], instead: str
) -> None:
    missed = found(condition, cron, timezone)

    assert missed is not None
    assert missed.gaps == (Gap(*map(datetime.fromisoformat, gap)),)
    assert missed.instead == instead


@pytest.mark.parametrize(
    ("period", "asked", "between", "instead"),
    [
        pytest.param(timedelta(minutes=15), "14 MINUTE", timedelta(minutes=1), "1 HOUR", id="each quarter of an hour"),
        pytest.param(timedelta(hours=1), "59 MINUTE", timedelta(minutes=1), "1 HOUR", id="each hour"),
        pytest.param(timedelta(days=1), "22 HOUR", timedelta(hours=2), "1 DAY", id="nine tenths of a day, and more"),
        pytest.param(timedelta(days=10), "9 DAY", timedelta(days=1), "10 DAY", id="nine tenths of ten days"),
        pytest.param(timedelta(hours=239), "238 HOUR", timedelta(hours=1), "239 HOUR", id="not ten days"),
        pytest.param(timedelta(hours=241), "240 HOUR", timedelta(hours=1), "11 DAY", id="more than ten days"),
        pytest.param(timedelta(days=365), "364 DAY", timedelta(days=1), "365 DAY", id="each year"),
    ],
)
def test_what_a_window_is_too_short_for_is_found_between_any_ticks(
    period: timedelta, asked: str, between: timedelta, instead: str
) -> None:
    # Within an hour's ticks minutes are told apart only if the ticks are of any minute.
    within_a_day = period < timedelta(days=1)
    ticks = (tick + period * within_a_day * 7 / 15 for tick in islice(each(period), 100 if within_a_day else None))

    missed = found_at(f"created_at >= NOW() - INTERVAL {asked}", ticks)

    assert missed is not None
    assert {gap.end - gap.start for gap in missed.gaps} == {between}
    assert missed.longest == period
    assert missed.instead == f"created_at >= NOW() - INTERVAL {instead}"


@pytest.mark.parametrize(
    ("period", "asked"),
    [
        pytest.param(timedelta(minutes=14), "13 MINUTE", id="ticks in haste"),
        pytest.param(timedelta(days=1), "21 HOUR", id="less than nine tenths of a day"),
        pytest.param(timedelta(days=10), "215 HOUR", id="less than nine tenths of ten days"),
        pytest.param(timedelta(hours=1), "60 MINUTE", id="as long as it takes"),
    ],
)
def test_a_window_that_is_much_shorter_or_asked_for_in_haste_is_so_on_purpose(period: timedelta, asked: str) -> None:
    assert found_at(f"created_at >= NOW() - INTERVAL {asked}", each(period)) is None


def test_gaps_are_those_of_a_year() -> None:
    missed = found_at("created_at >= NOW() - INTERVAL 23 HOUR", each(timedelta(days=1)))

    assert missed is not None
    days = [timedelta(days=number) for number in range(1, 366)]
    assert missed.gaps == tuple(Gap(NOW + day, NOW + day + timedelta(hours=1)) for day in days)


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("`日付` >= NOW() - INTERVAL 23 HOUR", id="a name without Latin letters"),
        pytest.param("u.createdAt >= NOW() - INTERVAL 23 HOUR", id="a name of two words in one"),
        pytest.param("UPDATED >= NOW() - INTERVAL 23 HOUR", id="a name in capitals"),
    ],
)
def test_a_column_is_looked_at_whatever_its_name(condition: str) -> None:
    assert hours(found(condition, "0 9 * * *", "UTC")) == ["09:00-10:00"]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param("signupDate", id="a date"),
        pytest.param("birthday", id="a birthday"),
        pytest.param("`on`", id="on"),
    ],
)
def test_nobody_knows_in_which_zone_a_column_of_dates_is_one(column: str) -> None:
    assert found(f"{column} >= NOW() - INTERVAL 23 HOUR", "0 9 * * *", "UTC") is None


@pytest.mark.parametrize(
    ("condition", "instead"),
    [
        pytest.param(
            "created_at BETWEEN NOW() - INTERVAL 23 HOUR AND NOW() + INTERVAL 20 HOUR",
            "created_at >= NOW() - INTERVAL 1 DAY",
            id="what is to come is not there yet",
        ),
        pytest.param(
            "expires_at >= NOW() - INTERVAL 23 HOUR AND expires_at < NOW()",
            "expires_at >= NOW() - INTERVAL 1 DAY AND expires_at < NOW()",
            id="what is known before it comes, and has come",
        ),
        pytest.param(
            "expires_at >= NOW() - INTERVAL 20 HOUR AND expires_at < NOW() + INTERVAL 2 HOUR",
            "expires_at >= NOW() - INTERVAL 22 HOUR AND expires_at < NOW() + INTERVAL 2 HOUR",
            id="what is known before it comes, around the tick",
        ),
        pytest.param(
            "expires_at >= NOW() + INTERVAL 2 HOUR AND expires_at < NOW() + INTERVAL 25 HOUR",
            "expires_at >= NOW() + INTERVAL 2 HOUR AND expires_at < NOW() + INTERVAL 26 HOUR",
            id="what is to come, not at once",
        ),
        pytest.param(
            "created_at >= NOW() - INTERVAL 25 HOUR AND created_at < NOW() - INTERVAL 2 HOUR",
            "created_at >= NOW() - INTERVAL 26 HOUR AND created_at < NOW() - INTERVAL 2 HOUR",
            id="what has been there for a while",
        ),
    ],
)
def test_a_window_of_a_day_that_leaves_none_out_is_advised(condition: str, instead: str) -> None:
    missed = found(condition, "0 9 * * *", "UTC")

    assert missed is not None
    assert missed.longest == timedelta(days=1)
    assert missed.instead == instead


@pytest.mark.parametrize(
    ("condition", "cron", "gaps", "instead"),
    [
        pytest.param(A_DAY, "0 9 * * 1-5", 52, "3 DAY", id="weekends"),
        pytest.param("created_at >= NOW() - INTERVAL 30 DAY", "0 9 1 * *", 7, "31 DAY", id="the 31st"),
        pytest.param(A_DAY, "0 9 */2 * 1", 153, "2 DAY", id="a day or a weekday"),
    ],
)
def test_ticks_that_are_further_apart_at_times_leave_out_what_is_between(
    condition: str, cron: str, gaps: int, instead: str
) -> None:
    missed = found(condition, cron, "UTC")

    assert missed is not None
    assert abs(len(missed.gaps) - gaps) <= 1
    assert missed.instead == f"created_at >= NOW() - INTERVAL {instead}"


@pytest.mark.parametrize(
    ("condition", "cron", "timezone"),
    [
        pytest.param(YESTERDAY, "0 0 * * *", "UTC", id="a date in UTC"),
        pytest.param(YESTERDAY, "0 9 * * *", "Europe/Berlin", id="a date that is the same in UTC at that hour"),
        pytest.param(A_DAY, "0 9 * * *", "UTC", id="a day in UTC"),
        pytest.param(A_DAY, "0 9 * * *", "Asia/Tokyo", id="a day where the clocks never change"),
        pytest.param(A_DAY, "0 9 * * MON", "Europe/Berlin", id="a day, once a week"),
        pytest.param(A_DAY, "0 9 29 2 *", "Europe/Berlin", id="a day, once in four years"),
        pytest.param(YESTERDAY, "0 0 * * MON", "Europe/Berlin", id="yesterday, once a week"),
        pytest.param("created_at >= NOW() - INTERVAL 25 HOUR", "0 9 * * *", "Europe/Berlin", id="an hour more"),
        pytest.param("created_at >= NOW() - INTERVAL 30 DAY", "0 9 * * *", "Europe/Berlin", id="many days"),
        pytest.param("created_at >= CURDATE() - INTERVAL 7 DAY", "0 0 * * *", "Europe/Berlin", id="seven dates"),
        pytest.param("DATEDIFF(CURDATE(), created_at) = 3", "0 0 * * *", "Europe/Berlin", id="a date of the past"),
        pytest.param("created_at < NOW() - INTERVAL 7 DAY", "0 9 * * *", "Europe/Berlin", id="all who are older"),
        pytest.param("created_at >= CURDATE()", "0 9 * * *", "Europe/Berlin", id="nine hours of a day, on purpose"),
        pytest.param("DATE(expires_at) = CURDATE()", "0 9 * * *", "Europe/Berlin", id="what ends today"),
        pytest.param("signup_date = CURDATE() - INTERVAL 1 DAY", "0 0 * * *", "Europe/Berlin", id="a date, exactly"),
        pytest.param(
            "signup_date >= CURDATE() - INTERVAL 1 DAY AND signup_date < CURDATE()",
            "0 0 * * *",
            "Europe/Berlin",
            id="a date of which nobody knows in which zone",
        ),
        pytest.param("created_at >= NOW() - INTERVAL 1 HOUR", "0 * * * *", "Europe/Berlin", id="an hour, each hour"),
        pytest.param(
            "(created_at >= NOW() - INTERVAL 23 HOUR AND created_at < NOW() - INTERVAL 20 HOUR "
            "OR created_at >= NOW() - INTERVAL 19 HOUR)",
            "0 9 * * *",
            "UTC",
            id="two parts of a day",
        ),
        pytest.param(
            "created_at >= NOW() - INTERVAL 24 DAY AND HOUR(created_at) BETWEEN 9 AND 10",
            "0 9 * * *",
            "UTC",
            id="some hours of many days",
        ),
        pytest.param("created_at >= NOW() - INTERVAL 1 MINUTE", "* * * * *", "Europe/Berlin", id="a minute"),
        pytest.param("created_at > NOW() + INTERVAL 2 DAY", "0 9 * * *", "Europe/Berlin", id="what cannot be"),
        pytest.param(
            "DATE_FORMAT(created_at, '%m-%d') = DATE_FORMAT(CURDATE(), '%m-%d')",
            "0 0 * * *",
            "Europe/Berlin",
            id="an anniversary",
        ),
    ],
)
def test_where_nobody_is_left_out_or_some_on_purpose_nothing_is_said(condition: str, cron: str, timezone: str) -> None:
    assert found(condition, cron, timezone) is None


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"SELECT id FROM users WHERE name = 'x' OR {A_DAY}", id="one of two reasons"),
        pytest.param(
            "SELECT id FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND "
            "o.created_at >= NOW() - INTERVAL 1 DAY)",
            id="who has none",
        ),
        pytest.param(
            f"SELECT id FROM users EXCEPT SELECT user_id FROM orders WHERE {A_DAY}", id="who is taken out of the others"
        ),
        pytest.param(
            f"SELECT id, (SELECT COUNT(*) FROM orders WHERE {A_DAY}) AS orders FROM users", id="what is only shown"
        ),
        pytest.param(
            f"SELECT user_id FROM orders WHERE {A_DAY} GROUP BY user_id HAVING COUNT(*) > 3", id="what is counted"
        ),
        pytest.param("SELECT id FROM users WHERE created_at > last_activity_at - INTERVAL 1 DAY", id="no clock"),
        pytest.param("SELECT id FROM users WHERE TIME(created_at) < CURTIME()", id="what only TiDB evaluates"),
    ],
)
def test_what_selects_nobody_by_the_clock_alone_is_no_window(sql: str) -> None:
    assert windows(sql) == ()


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        pytest.param(f"SELECT id FROM users WHERE id > 0 AND {A_DAY}", "created_at", id="one of several conditions"),
        pytest.param(
            "SELECT u.id FROM users u JOIN orders o ON o.user_id = u.id AND o.paid_at > NOW() - INTERVAL 1 DAY",
            "o.paid_at",
            id="of a join",
        ),
        pytest.param(
            "SELECT id FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND "
            "o.paid_at > NOW() - INTERVAL 1 DAY)",
            "o.paid_at",
            id="of EXISTS",
        ),
        pytest.param(
            f"WITH new AS (SELECT id FROM users WHERE {A_DAY}) SELECT user_id FROM orders WHERE user_id IN "
            "(SELECT id FROM new)",
            "created_at",
            id="of WITH",
        ),
        pytest.param(
            "SELECT id FROM users WHERE TIMESTAMPDIFF(DAY, created_at, NOW()) = 3", "created_at", id="of a unit"
        ),
    ],
)
def test_the_window_of_a_column_is_found_wherever_users_are_selected_by_it(sql: str, column: str) -> None:
    assert [window.column for window in windows(sql)] == [column]


def test_a_window_has_the_line_on_which_it_begins() -> None:
    (window,) = windows("SELECT id FROM users\nWHERE id > 0\n  AND created_at >= NOW() - INTERVAL 1 DAY")

    assert window.line == 3


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("at BETWEEN NOW() AND NOW() + INTERVAL 10 MINUTE", id="the minutes to come"),
        pytest.param("at > NOW()", id="all that is to come"),
        pytest.param("at <= NOW() + INTERVAL 1 HOUR", id="all before the next hour is over"),
        pytest.param("at >= NOW() - INTERVAL 1 DAY AND at < NOW() + INTERVAL 1 DAY", id="a day before and after"),
        pytest.param("DATE(at) = CURDATE() + INTERVAL 1 DAY", id="tomorrow"),
        pytest.param("DATEDIFF(at, NOW()) <= 30", id="a month to come"),
        pytest.param("at < NOW() + INTERVAL 5 MINUTE", id="five minutes more"),
        pytest.param("at > NOW() + INTERVAL 399 DAY", id="what is far"),
        pytest.param(
            "at > NOW() - INTERVAL 1 HOUR AND at < CURDATE() + INTERVAL 1 DAY + INTERVAL 1 HOUR",
            id="an hour of tomorrow",
        ),
    ],
)
def test_a_window_that_ends_or_begins_after_the_clock_looks_ahead(condition: str) -> None:
    (window,) = windows(f"SELECT id FROM users WHERE {condition}")

    assert looks_ahead(window)


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("at < NOW() - INTERVAL 7 DAY", id="long ago"),
        pytest.param("at >= NOW() - INTERVAL 1 DAY", id="the last day"),
        pytest.param("at <= NOW()", id="all that has come"),
        pytest.param("at NOT BETWEEN NOW() - INTERVAL 7 DAY AND NOW()", id="all but the last week"),
        pytest.param("DATE(at) = CURDATE()", id="today"),
        pytest.param("YEAR(at) = YEAR(NOW()) AND MONTH(at) = MONTH(NOW())", id="this month"),
        pytest.param("HOUR(at) = HOUR(NOW())", id="an hour of each day"),
        pytest.param("at >= NOW() - INTERVAL 1 HOUR AND at < NOW()", id="the last hour"),
        pytest.param("at < CURDATE() + INTERVAL 1 DAY", id="all until the day is over"),
        pytest.param(
            "at >= CURDATE() - INTERVAL DAYOFWEEK(CURDATE()) - 1 DAY AND at < CURDATE() + INTERVAL 8 - "
            "DAYOFWEEK(CURDATE()) DAY",
            id="this week",
        ),
        pytest.param(
            "at > NOW() - INTERVAL 60 YEAR AND at < NOW() - INTERVAL 50 YEAR", id="before all that is looked at"
        ),
    ],
)
def test_a_window_of_what_has_happened_looks_ahead_nowhere(condition: str) -> None:
    (window,) = windows(f"SELECT id FROM users WHERE {condition}")

    assert not looks_ahead(window)


@pytest.mark.parametrize(
    ("column", "is_ahead"),
    [
        pytest.param("expires_at", True, id="what expires"),
        pytest.param("`shop`.`Orders`.`nextRenewal`", True, id="of a table, two words in one"),
        pytest.param("DUE", True, id="in capitals"),
        pytest.param("created_at", False, id="what was created"),
        pytest.param("ended_at", False, id="what has ended"),
        pytest.param("scheduled.created_at", False, id="a table whose name says so"),
    ],
)
def test_a_columns_name_may_speak_of_the_future(column: str, *, is_ahead: bool) -> None:
    assert speaks_of_the_future(column) == is_ahead


def test_a_column_is_called_by_its_bare_name() -> None:
    assert [bare(name) for name in ("at", "`at`", "u.at", "`a`.`b`.`at`")] == ["at"] * 4
