"""A zone is told by its distance from UTC, and by its name where that says more."""

from datetime import timedelta

import pytest

from skene_dagster.store.server.time_zone import ServerZone, utc


@pytest.mark.parametrize(
    ("minutes", "name"),
    [
        (0, "UTC"),
        (1, "UTC+0:01"),
        (60, "UTC+1"),
        (330, "UTC+5:30"),
        (765, "UTC+12:45"),
        (840, "UTC+14"),
        (-1, "UTC-0:01"),
        (-180, "UTC-3"),
        (-210, "UTC-3:30"),
        (-720, "UTC-12"),
    ],
)
def test_a_zone_is_named_by_its_distance_from_utc(minutes: int, name: str) -> None:
    assert utc(timedelta(minutes=minutes)) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("CET", "CET, UTC+1", id="a name"),
        pytest.param("Europe/Berlin", "Europe/Berlin, UTC+1", id="a city"),
        pytest.param("+01:00", "UTC+1", id="a distance"),
        pytest.param("-00:00", "UTC+1", id="a distance west"),
        pytest.param("utc", "UTC+1", id="UTC itself"),
        pytest.param("Etc/UTC", "UTC+1", id="UTC's other name"),
        pytest.param("+", "+, UTC+1", id="no distance"),
    ],
)
def test_a_servers_zone_is_shown_with_a_name_that_says_more(name: str, shown: str) -> None:
    assert str(ServerZone(name, timedelta(hours=1))) == shown
