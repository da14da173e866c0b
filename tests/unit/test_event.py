"""An event is checked and frozen when it is told; what is refused is not repeated."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from event_rows import nested

from skene_dagster.audience.event import DEEPEST, new_event
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
        pytest.param({"name": None}, "not a text", id="no name"),
        pytest.param({"name": " "}, "1 to 128", id="a blank name"),
        pytest.param({"name": "n" * 129}, "1 to 128", id="a long name"),
        pytest.param({"name": "a\nb"}, "control", id="a name of two lines"),
        pytest.param({"name": "a\ud800"}, "half a character", id="half a character"),
        pytest.param({"event_id": ""}, "1 to 64", id="an empty id"),
        pytest.param({"event_id": "a b"}, "without blanks", id="an id with a blank"),
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
