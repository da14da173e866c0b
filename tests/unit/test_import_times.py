"""Moments as exports of other products write them."""

from datetime import datetime

import pytest

from skene_dagster.consent.imports.times import moment

AT = datetime(2026, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("2026-01-02T03:04:05Z", AT, id="of an API"),
        pytest.param("2026-01-02T03:04:05.678Z", AT.replace(microsecond=678_000), id="with thousandths"),
        pytest.param("2026-01-02T03:04:05.123456789Z", AT.replace(microsecond=123_456), id="with more than we keep"),
        pytest.param("2026-01-02T05:34:05+02:30", AT, id="ahead of UTC"),
        pytest.param("2026-01-01 22:04:05-0500", AT, id="behind UTC"),
        pytest.param("2026-01-02 03:04:05+00", AT, id="as PostgreSQL writes it"),
        pytest.param("2026-01-02 05:04:05.5 +0200 CEST", AT.replace(microsecond=500_000), id="as Go writes it"),
        pytest.param("2026-01-02 03:04:05", AT, id="without a zone"),
        pytest.param(" 2026-01-02 ", datetime(2026, 1, 2), id="a day"),
        pytest.param("Fri, 02 Jan 2026 03:04:05 UTC", AT, id="as emails write it"),
        pytest.param("Fri, 02 Jan 2026 05:04:05 +0200", AT, id="as emails write it, with a zone"),
        pytest.param("1767323045", AT, id="seconds since 1970"),
        pytest.param("1767323045000", AT, id="thousandths since 1970"),
    ],
)
def test_a_moment_is_read_in_utc(text: str, at: datetime) -> None:
    assert moment(text) == at


@pytest.mark.parametrize("text", ["", "yesterday", "03/04/2026", "2026-13-01", "2026-01-02 25:00:00", "02.01.2026"])
def test_what_could_be_read_in_two_ways_or_none_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are Python's
        moment(text)
