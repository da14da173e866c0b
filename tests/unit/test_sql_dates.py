"""Dates that authors write as strings: which every database reads alike, and which only servers read."""

from datetime import datetime

import pytest

from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.time.dates import is_a_number, is_a_servers_own, is_moment, read, refuse_an_offset


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-22", datetime(2026, 2, 22)),
        ("2026-2-3T4:5", datetime(2026, 2, 3, 4, 5)),
        ("2026-02-22 09:10:11", datetime(2026, 2, 22, 9, 10, 11)),
        ("2026-02-22 09:10:11.5", datetime(2026, 2, 22, 9, 10, 11, 500_000)),
        ("2026-02-22 09:10:11.000001", datetime(2026, 2, 22, 9, 10, 11, 1)),
        ("1000-01-01", datetime(1000, 1, 1)),
    ],
)
def test_a_string_that_every_database_reads_is_the_moment_that_it_says(text: str, moment: datetime) -> None:
    assert is_moment(text)
    assert read(text) == moment


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "2026-02-22 24:00", "2026-02-22 09:60"])
def test_a_day_or_a_time_that_there_is_not_is_no_moment(text: str) -> None:
    assert is_moment(text)
    assert read(text) is None


@pytest.mark.parametrize("text", ["0999-12-31", "0000-00-00", "never", "26-02-22", "2026-02-22 09", "2026-02-22x", ""])
def test_what_databases_read_otherwise_is_no_moment(text: str) -> None:
    assert not is_moment(text)
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("2026/02/22", True),
        ("2026.2.22", True),
        ("2026.2.22 09:00", True),
        ("2026-02-22 09", True),
        ("20260222", True),
        ("20260222090000", True),
        ("19991231", True),
        ("2026-02-22", False),
        ("2026-02-22 09:00", False),
        ("2026/02.22", False),
        ("1826/02/22", False),
        ("18260222", False),
        ("20261301", False),
        ("20260232", False),
        ("20260200", False),
        ("2026022209", False),
        ("0000-00-00 00", False),
        ("never", False),
    ],
)
def test_it_is_known_which_strings_only_servers_read_as_dates(text: str, *, own: bool) -> None:
    assert is_a_servers_own(text) == own


def test_a_date_may_be_written_as_a_number() -> None:
    assert is_a_number("20261123")
    assert is_a_number("20261123090000")
    assert not is_a_number("2026-11-23")
    assert not is_a_number("1234")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-02-22T09:00:00Z", "2026-02-22 09:00:00"),
        ("2026-02-22 09:00 UTC", "2026-02-22 09:00:00"),
        ("2026-02-22 09:00+05:45", "2026-02-22 03:15:00"),
        ("2026-02-22 09:00-0530", "2026-02-22 14:30:00"),
        ("2026-02-22 20:00-09", "2026-02-23 05:00:00"),
        ("2026-2-2T9:00:00.123456789z", "2026-02-02 09:00:00.123456"),
        ("9998-12-31 23:59-01", "9999-01-01 00:59:00"),
    ],
)
def test_a_string_that_names_its_offset_is_refused_with_the_same_in_utc(text: str, utc: str) -> None:
    with pytest.raises(Refusal) as refused:
        refuse_an_offset(text)

    assert refused.value.message == f"{text!r} names its offset from UTC, which databases read differently."
    assert refused.value.advice == f"Moments are in UTC here. Write '{utc}'."


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-22",
        "2026-02-22 09:00",
        "2026-02-22Z",
        "2026-02-30 09:00Z",
        "9999-12-31 23:59-01",
        "2026-02-22 09:00:001Z",
    ],
)
def test_what_names_no_offset_or_no_moment_is_let_pass(text: str) -> None:
    refuse_an_offset(text)
