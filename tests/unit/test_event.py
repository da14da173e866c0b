"""An event is checked and frozen when it is told; what is refused is not repeated."""

import json
import time
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from event_rows import nested

from skene_dagster.behaviour.event import DEEPEST, is_id, new_event
from skene_dagster.errors import EventRefused

AT = datetime(2026, 3, 14, 9, 26, 53, 589793)


class Unreadable(dict[str, Any]):
    def items(self) -> Any:
        raise OSError

    __iter__ = items


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        pytest.param(["a"], "not an object", id="a list"),
        pytest.param("text", "not an object", id="a text"),
        pytest.param({"a": float("nan")}, "as JSON", id="not a number"),
        pytest.param({"a": object()}, "as JSON", id="an object"),
        pytest.param({("a", "b"): 1}, "as JSON", id="a name that is none"),
        pytest.param({"a": "\ud83d"}, "half a character", id="half a character"),
        pytest.param({"a": "x" * 32_761}, "larger than 32768", id="too large"),
        pytest.param({"a": "ü" * 16_381}, "larger than 32768", id="too large in bytes"),
        pytest.param(nested(DEEPEST + 1), "nested", id="deep"),
        pytest.param(nested(100_000), "nested", id="very deep"),
        pytest.param({"a": [10**310]}, "no database can hold", id="a huge number"),
        pytest.param({"a": 10**300}, "no database can hold", id="the first number that is too large"),
        pytest.param({"a": {"b": [1, -(10**300)]}}, "no database can hold", id="a huge number below zero"),
        pytest.param({"a": 1, "b": ["x", 10**300]}, "no database can hold", id="a huge number beside others"),
        pytest.param({"a": [[], {}, [10**300]]}, "no database can hold", id="a huge number behind others"),
        pytest.param({"a": [{"b": [[]] * 19}, nested(DEEPEST)]}, "nested", id="deep behind what is not"),
        pytest.param(Unreadable(a=1), "as JSON", id="a mapping that raises"),
    ],
)
def test_properties_that_cannot_be_stored_are_refused(properties: object, words: str) -> None:
    with pytest.raises(EventRefused, match=words):
        new_event(7, "used", properties)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param({"user": None}, "names no user", id="nobody"),
        pytest.param({"user": 1.5}, "of type float", id="a user who is a float"),
        pytest.param({"name": None}, "not a string", id="no name"),
        pytest.param({"name": " "}, "1 to 128", id="a blank name"),
        pytest.param({"name": "n" * 129}, "1 to 128", id="a long name"),
        pytest.param({"name": "a\nb"}, "control", id="a name of two lines"),
        pytest.param({"name": "a\ud800"}, "half a character", id="half a character"),
        pytest.param({"event_id": ""}, "1 to 64", id="an empty id"),
        pytest.param({"event_id": "a b"}, "without spaces", id="an id with a blank"),
        pytest.param({"event_id": "ü"}, "ASCII", id="an id that is not ASCII"),
        pytest.param({"event_id": "e" * 65}, "1 to 64", id="a long id"),
        pytest.param({"event_id": 7}, "1 to 64", id="an id that is a number"),
        pytest.param({"at": "2026-03-14"}, "not a datetime", id="a time in a text"),
        pytest.param(
            {"at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=5)))}, "in UTC", id="the end of time"
        ),
    ],
)
def test_an_event_that_cannot_be_stored_is_refused(told: dict[str, Any], words: str) -> None:
    given = {"user": 7, "name": "used"} | told

    with pytest.raises(EventRefused, match=words):
        new_event(given.pop("user"), given.pop("name"), None, **given)


def test_a_time_with_a_zone_is_stored_in_utc() -> None:
    event = new_event(7, " used ", at=AT.replace(tzinfo=timezone(timedelta(hours=2))))

    assert event.occurred_at == AT - timedelta(hours=2)
    assert event.name == "used"


def test_properties_are_frozen_when_the_event_is_told() -> None:
    properties = {"a": [1], "when": AT}
    event = new_event(7, "used", properties)

    properties["a"] = [2]

    assert event.properties == '{"a":[1],"when":"2026-03-14T09:26:53.589793"}'


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        pytest.param({"a": "x" * 32_760}, '{"a":"' + "x" * 32_760 + '"}', id="32 KiB"),
        pytest.param({"a": 10**300 - 1}, f'{{"a":{10**300 - 1}}}', id="the last number that is not too large"),
        pytest.param({"a": -(10**300) + 1}, f'{{"a":{-(10**300) + 1}}}', id="the last one below zero"),
        pytest.param({"a": date(2026, 11, 29)}, '{"a":"2026-11-29"}', id="a date"),
        pytest.param({"a": Decimal("1.50")}, '{"a":"1.50"}', id="an amount"),
        pytest.param({"a": UUID(int=5)}, '{"a":"00000000-0000-0000-0000-000000000005"}', id="a UUID"),
        pytest.param({"ü": True}, '{"ü":true}', id="as few bytes as can be"),
        pytest.param(MappingProxyType({"a": 1}), '{"a":1}', id="another mapping"),
        pytest.param({}, None, id="an empty object"),
        pytest.param(None, None, id="none"),
    ],
)
def test_properties_are_written_as_json(properties: object, text: str | None) -> None:
    assert new_event(7, "used", properties).properties == text


def test_an_event_has_the_names_that_it_was_told() -> None:
    event = new_event("ada", "n" * 128, at=AT, event_id="!" * 63 + "~")

    assert (event.user, event.name, event.event_id) == ("ada", "n" * 128, "!" * 63 + "~")
    assert event.occurred_at == AT
    assert not event.by_our_clock


def test_an_event_without_an_id_has_one_of_its_own() -> None:
    first, second = new_event(7, "a"), new_event(7, "a")

    assert is_id(first.event_id)
    assert first.event_id != second.event_id
    assert first.by_our_clock


@pytest.mark.parametrize("sign", ["\x00", "\x1f", "\x7f", "\x9f", "\ud800"])
def test_what_steers_a_terminal_is_in_no_name(sign: str) -> None:
    with pytest.raises(EventRefused, match="control characters"):
        new_event(7, f"a{sign}b")


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(nested(20), id="twenty objects deep"),
        pytest.param({"a": "{" * 100 + '\\"['}, id="brackets in a text"),
        pytest.param({"a": list(range(50)), "b": [[]] * 30}, id="many brackets beside each other"),
        pytest.param({"a": "9" * 400, "b": 1}, id="a long number in a text"),
        pytest.param({"a": ["9" * 400, True, 1.5, None]}, id="a long number in a list"),
    ],
)
def test_properties_that_only_look_odd_are_taken(properties: dict[str, Any]) -> None:
    told = new_event(7, "used", properties).properties

    assert told is not None
    assert json.loads(told) == properties


def test_objects_lie_no_more_than_twenty_deep() -> None:
    with pytest.raises(EventRefused, match="more than 20 deep"):
        new_event(7, "used", nested(21))


def test_a_time_without_a_zone_is_in_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()

    event = new_event(7, "used", at=AT)

    monkeypatch.undo()
    time.tzset()
    assert event.occurred_at == AT
