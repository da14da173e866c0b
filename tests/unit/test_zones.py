"""Of a time zone that is none it is told what to write, and nothing that is another hour."""

from zoneinfo import ZoneInfo

import pytest

from skene_dagster.loops.times.zones import CITIES, fault_of_timezone, trap_of_timezone


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT-2", "CET", "EST"])
def test_an_iana_name_is_a_zone(name: str) -> None:
    assert fault_of_timezone(name) == ""


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        pytest.param("PST", "America/Los_Angeles", id="an abbreviation"),
        pytest.param("pdt", "America/Los_Angeles", id="one in small letters"),
        pytest.param("Pacific Standard Time", "America/Los_Angeles", id="Windows's name"),
        pytest.param("MESZ", "Europe/Berlin", id="a German one"),
        pytest.param("IST", "Asia/Kolkata or Europe/Dublin or Asia/Jerusalem", id="one of three countries"),
        pytest.param("GMT+2", "Etc/GMT-2 (2 h ahead of UTC", id="ahead of Greenwich"),
        pytest.param("UTC+2", "Etc/GMT-2", id="ahead of UTC"),
        pytest.param("+02:00", "Etc/GMT-2", id="ahead, as ISO 8601 has it"),
        pytest.param("utc -0500", "Etc/GMT+5 (5 h behind UTC", id="behind UTC"),
        pytest.param("UTC+05:30", "the city that you mean", id="half an hour"),
        pytest.param("UTC+15", "the city that you mean, such as Europe/Berlin or Asia", id="an offset that is nowhere"),
        pytest.param("UTC-13", "the city that you mean, such as Europe/Berlin or Asia", id="too far behind"),
        pytest.param("UTC+0:30", "the city that you mean, such as Europe/Berlin or Asia", id="minutes alone"),
        pytest.param(
            "louisville", "Write America/Kentucky/Louisville or America/Louisville.", id="a city of two names"
        ),
        pytest.param("japan", "Write Japan.", id="a country in small letters"),
        pytest.param("+00:00", "Write UTC.", id="no offset"),
        pytest.param("Z", "Write UTC.", id="Zulu"),
        pytest.param("europe/berlin", "Write Europe/Berlin.", id="small letters"),
        pytest.param("America/New York", "Write America/New_York.", id="a space"),
        pytest.param("Berlin", "Write Europe/Berlin.", id="a city alone"),
        pytest.param("new york", "Write America/New_York.", id="a city of two words"),
        pytest.param("right/Europe/Berlin", "; write Europe/Berlin.", id="a zone that counts leap seconds"),
        pytest.param("posix/Europe/Berlin", "; write Europe/Berlin.", id="a copy of a zone"),
        pytest.param("localtime", "the city that you mean, such as Europe/Berlin.", id="the machine's own zone"),
        pytest.param("posixrules", "the city that you mean", id="the machine's rules"),
        pytest.param("Europe/Berln", "Did you mean 'Europe/Berlin'?", id="a city misspelt"),
    ],
)
def test_what_was_meant_is_told(written: str, instead: str) -> None:
    assert instead in fault_of_timezone(written)


def test_one_zone_is_suggested_at_most_and_of_its_own_part_of_the_world() -> None:
    assert fault_of_timezone("America/Argentina/San_Juam").endswith("Did you mean 'America/Argentina/San_Juan'?")
    assert fault_of_timezone("Europe/Berlin1") == (
        "Write an IANA name, such as Europe/Berlin. Did you mean 'Europe/Berlin'?"
    )
    assert fault_of_timezone("America/Istanbul") == "Write an IANA name, such as Europe/Berlin."
    assert fault_of_timezone("Asia/Berlin") == "Write an IANA name, such as Europe/Berlin."


@pytest.mark.parametrize(
    "written",
    ["right/Nowhere", "", "Europe", "../x", "Etc/GMT+15", "MSZ", "GTM", "Factory", "posix/Factory", "x/Europe/Berlin"],
)
def test_where_the_spelling_is_all_there_is_to_go_by_no_zone_is_named(written: str) -> None:
    assert fault_of_timezone(written) == "Write an IANA name, such as Europe/Berlin."


def test_every_city_that_is_named_is_a_zone() -> None:
    assert [city for cities in CITIES.values() for city in cities if fault_of_timezone(city)] == []


@pytest.mark.parametrize("hours", [*range(-12, 0), *range(1, 15)])
def test_a_zone_of_an_offset_has_that_offset(hours: int) -> None:
    said = fault_of_timezone(f"UTC{hours:+d}")

    (zone,) = [word for word in said.replace("(", " ").split() if word.startswith("Etc/")]
    offset = ZoneInfo(zone).utcoffset(None)
    assert offset is not None
    assert offset.total_seconds() == hours * 3600


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("EST", "EST is 5 hours behind UTC all year round. With summer time it is America/New_York."),
        ("Etc/GMT+2", "Etc/GMT+2 is 2 h behind UTC: its sign is reversed."),
        ("Etc/GMT-2", "Etc/GMT-2 is 2 h ahead of UTC: its sign is reversed."),
        ("Europe/Berlin", ""),
        ("HST", ""),
        ("MST", "MST is 7 hours behind UTC all year round. With summer time it is America/Denver."),
        ("Etc/GMT-14", "Etc/GMT-14 is 14 h ahead of UTC: its sign is reversed."),
        ("Etc/GMT+0", ""),
    ],
)
def test_of_a_zone_that_is_taken_for_another_its_hour_is_told(zone: str, said: str) -> None:
    assert trap_of_timezone(zone) == said
