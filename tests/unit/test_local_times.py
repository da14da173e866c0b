"""What a column's newest moments say of the zone in which they are written."""

from datetime import datetime, timedelta

import pytest

from skene_dagster.checks import local_time
from skene_dagster.product.newest import Newest, Rows
from skene_dagster.product.shapes import MomentColumn
from skene_dagster.store.server.time_zone import ServerZone

NOW = datetime(2026, 3, 10, 12)
MINUTE, HOUR, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
NONE = Rows(0, None, None)
PLAIN = MomentColumn("at", has_zone=False, is_filled=False)
FILLED = MomentColumn("at", has_zone=False, is_filled=True)
CONVERTED = MomentColumn("at", has_zone=True, is_filled=True)
EAST, WEST, AT_UTC = (ServerZone("x", timedelta(hours=hours)) for hours in (2, -5, 0))
READ_AS_UTC = "Moments are read as UTC: let the product store UTC"


def ahead(by: timedelta, number: int = 1, steady: timedelta | None = None, **other: object) -> Newest:
    rows = Rows(number, NOW + by, None if steady is None else NOW + steady)
    return Newest(**{"among": None, "ahead": rows, "far": NONE, "past": None, **other})  # type: ignore[arg-type]


def behind(by: timedelta | None) -> Newest:
    return Newest(None, NONE, NONE, None if by is None else NOW - by)


def said(
    seen: Newest, column: MomentColumn = PLAIN, zone: ServerZone | None = None, *, of_the_past: bool = True
) -> list[str]:
    return list(local_time._said(seen, column, zone, NOW, of_the_past=of_the_past))


@pytest.mark.parametrize(
    ("seen", "zone", "cause"),
    [
        pytest.param(ahead(2 * HOUR), None, "that of UTC+2", id="at a zone's distance"),
        pytest.param(ahead(2 * HOUR - 2 * MINUTE), None, "that of UTC+2", id="new as of two minutes"),
        pytest.param(ahead(90 * MINUTE), None, "that of UTC+1:30", id="at half an hour's"),
        pytest.param(ahead(80 * MINUTE), EAST, "the server's zone is x, UTC+2", id="within that of the server's zone"),
        pytest.param(
            ahead(125 * MINUTE), EAST, "the server's zone is x, UTC+2", id="as far beyond it as clocks differ"
        ),
        pytest.param(
            ahead(2 * HOUR), EAST, "that of UTC+2; the server's zone is x, UTC+2", id="at the server's own distance"
        ),
    ],
)
def test_a_moment_ahead_may_be_local_time(seen: Newest, zone: ServerZone | None, cause: str) -> None:
    (told,) = said(seen, zone=zone)

    assert f"ahead of now. It looks like local time ({cause}). {READ_AS_UTC}." in told


@pytest.mark.parametrize(
    ("seen", "zone"),
    [
        pytest.param(ahead(2 * HOUR - 2 * MINUTE - SECOND), None, id="longer before a zone's now"),
        pytest.param(ahead(2 * HOUR + SECOND), None, id="beyond a zone's now"),
        pytest.param(ahead(125 * MINUTE + SECOND), EAST, id="further beyond the server's than clocks differ"),
        pytest.param(ahead(80 * MINUTE), WEST, id="of a server that is west"),
        pytest.param(ahead(80 * MINUTE, number=9), None, id="nine"),
    ],
)
def test_a_few_moments_ahead_at_no_zones_distance_may_be_a_slip(seen: Newest, zone: ServerZone | None) -> None:
    (told,) = said(seen, zone=zone)

    assert told.endswith(f"ahead of now. {READ_AS_UTC}, or correct what is only a slip.")


def test_ten_moments_ahead_are_no_slip() -> None:
    (told,) = said(ahead(80 * MINUTE, number=10))

    assert (
        told
        == f"10 rows are in the future; the newest is 1 h 20 min ahead of now. It looks like local time. {READ_AS_UTC}."
    )


STEADY = 90 * MINUTE
"""Half an hour before two hours ahead."""


@pytest.mark.parametrize(
    ("seen", "is_told"),
    [
        pytest.param(ahead(2 * HOUR, 10, STEADY), True, id="without a pause up to a zone's now"),
        pytest.param(ahead(2 * HOUR, 10, STEADY - SECOND), False, id="with a pause"),
        pytest.param(ahead(2 * HOUR - 2 * MINUTE, 10, STEADY), True, id="up to two minutes before it"),
        pytest.param(ahead(2 * HOUR - 3 * MINUTE, 10, STEADY), False, id="up to three minutes before it"),
        pytest.param(ahead(2 * HOUR, 10, None), False, id="of less than ten moments"),
        pytest.param(ahead(2 * HOUR, 10, STEADY, far=Rows(1, NOW + DAY, None)), False, id="and one far ahead"),
    ],
)
def test_what_may_be_planned_is_local_time_only_if_a_product_in_use_would_write_so(
    seen: Newest, *, is_told: bool
) -> None:
    assert bool(said(seen, of_the_past=False)) == is_told


def test_what_is_far_ahead_is_told_of_what_has_happened() -> None:
    seen = Newest(None, NONE, Rows(2, NOW + 900 * DAY, None), None)

    assert said(seen) == [
        "2 rows are far in the future; the newest is 26 Aug 2028. Correct or delete what is only test data."
    ]
    assert said(seen, of_the_past=False) == []


BY_ITSELF = "sessions that set no zone of their own write local time."
FILLS_IT = "NOW() fills it, and the server's zone is x"


@pytest.mark.parametrize(
    ("seen", "column", "zone", "begins"),
    [
        pytest.param(
            behind(5 * HOUR),
            FILLED,
            WEST,
            f"{FILLS_IT}, UTC-5: {BY_ITSELF} The newest is 5 h 00 min behind now. {READ_AS_UTC} (SET",
            id="filled, west of UTC",
        ),
        pytest.param(
            behind(6 * MINUTE),
            FILLED,
            EAST,
            f"{FILLS_IT}, UTC+2: {BY_ITSELF} The newest is 6 min behind now. {READ_AS_UTC}",
            id="filled, east of UTC",
        ),
        pytest.param(
            behind(None),
            FILLED,
            EAST,
            f"{FILLS_IT}, UTC+2: {BY_ITSELF} {READ_AS_UTC} (SET",
            id="filled, of no row",
        ),
        pytest.param(
            behind(5 * HOUR + 30 * MINUTE),
            PLAIN,
            WEST,
            f"The newest is 5 h 30 min behind now. It may be local time: the server's zone is x, UTC-5. {READ_AS_UTC}",
            id="written by the product, half an hour before the zone's now",
        ),
        pytest.param(behind(5 * HOUR + 30 * MINUTE + SECOND), PLAIN, WEST, "", id="longer before the zone's now"),
        pytest.param(behind(None), PLAIN, WEST, "", id="written by the product, of no row"),
        pytest.param(behind(HOUR), PLAIN, EAST, "", id="written by the product, east of UTC"),
        pytest.param(behind(5 * MINUTE), FILLED, EAST, "", id="as new as clocks differ"),
        pytest.param(behind(5 * HOUR - 5 * MINUTE), FILLED, WEST, "", id="newer than local time could be"),
        pytest.param(behind(5 * HOUR), FILLED, AT_UTC, "", id="of a server in UTC"),
        pytest.param(behind(5 * HOUR), FILLED, None, "", id="of no server"),
        pytest.param(behind(5 * HOUR), CONVERTED, WEST, "", id="converted by the server"),
        pytest.param(
            ahead(80 * MINUTE),
            CONVERTED,
            EAST,
            "1 row is in the future; the newest is 1 h 20 min ahead of now. Moments are read as UTC",
            id="ahead, and converted by the server",
        ),
    ],
)
def test_a_server_of_another_zone_writes_local_time(
    seen: Newest, column: MomentColumn, zone: ServerZone | None, begins: str
) -> None:
    told = said(seen, column, zone)

    assert len(told) == bool(begins)
    assert not told or told[0].startswith(begins)


@pytest.mark.parametrize(
    ("number", "among", "words"),
    [
        pytest.param(1, None, "1 row is", id="one"),
        pytest.param(2, None, "2 rows are", id="two"),
        pytest.param(1_000, None, "1,000 rows are", id="as many as are counted"),
        pytest.param(1_001, None, "more than 1,000 rows are", id="more than are counted"),
        pytest.param(1, 10_000, "1 of the last 10,000 rows is", id="one of a sample"),
        pytest.param(3, 10_000, "3 of the last 10,000 rows are", id="three of a sample"),
    ],
)
def test_rows_are_counted_in_words(number: int, among: int | None, words: str) -> None:
    assert local_time._rows(number, Newest(among, NONE, NONE, None)) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        pytest.param(29 * SECOND, "0 min", id="less than half a minute"),
        pytest.param(59 * MINUTE, "59 min", id="minutes"),
        pytest.param(HOUR, "1 h 00 min", id="an hour"),
        pytest.param(48 * HOUR - MINUTE, "47 h 59 min", id="nearly two days"),
        pytest.param(48 * HOUR, "2 days", id="two days"),
        pytest.param(1_000 * DAY + 23 * HOUR, "1,000 days", id="whole days"),
    ],
)
def test_a_long_time_is_told_in_few_words(span: timedelta, words: str) -> None:
    assert local_time._long(span) == words
