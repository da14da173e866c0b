"""A message of Segment's libraries is read as the event that it tells; its id is made of all that it says."""

from datetime import datetime, timedelta

import pytest

from skene_dagster.behaviour.event import Event
from skene_dagster.errors import EventRefused
from skene_dagster.web.events.segment import Type, event_of

NOW = datetime(2026, 11, 29, 12)
TRACK: dict[str, object] = {"type": "track", "userId": 7, "event": "used"}


def read(message: object, *, sent_at: object = None, type_: Type | None = None) -> Event:
    event = event_of(message, sent_at=sent_at, received=NOW, type_=type_)
    assert event is not None
    return event


def test_a_message_is_read_as_the_event_that_it_tells() -> None:
    event = read(TRACK | {"properties": {"a": 1}, "messageId": "m-1"})

    assert (event.user, event.name, event.properties) == (7, "used", '{"a":1}')
    assert event.occurred_at == NOW
    assert not event.by_our_clock


@pytest.mark.parametrize(
    "message",
    [
        *(
            pytest.param({"type": kind, "userId": 7}, id=kind)
            for kind in ("identify", "page", "screen", "group", "alias")
        ),
        pytest.param({"type": "track", "anonymousId": "x", "event": "used"}, id="nobody who is known"),
        pytest.param({"type": "track", "userId": "", "anonymousId": "x", "event": "used"}, id="an empty user"),
        pytest.param({"type": "track", "userId": None, "anonymousId": "x"}, id="no user"),
    ],
)
def test_what_is_no_event_of_a_user_is_taken_and_not_stored(message: object) -> None:
    assert event_of(message, sent_at=None, received=NOW) is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        pytest.param(["track"], "not a JSON object", id="a list"),
        pytest.param({"userId": 7, "event": "used"}, "type is not track", id="no type"),
        pytest.param({"type": "tracked", "userId": 7}, "type is not track", id="another type"),
        pytest.param({"type": "track", "event": "used"}, "neither userId nor anonymousId", id="nobody"),
        pytest.param({"type": "page", "userId": ""}, "neither userId nor anonymousId", id="an empty user"),
        pytest.param({"type": "page", "anonymousId": ""}, "neither userId nor anonymousId", id="an empty one"),
        pytest.param(TRACK | {"messageId": True}, "messageId is not a string", id="an id that is true"),
        pytest.param(TRACK | {"messageId": 1.5}, "messageId is not a string", id="an id that is a fraction"),
        pytest.param(TRACK | {"timestamp": 7}, "timestamp is not a time", id="a time that is a number"),
        pytest.param(TRACK | {"timestamp": "soon"}, "timestamp is not a time", id="a time that is none"),
        pytest.param(
            TRACK | {"timestamp": "2026-11-29T10:00:00Z", "sentAt": "soon"}, "sentAt is not a time", id="sent at none"
        ),
        pytest.param(
            TRACK | {"timestamp": "9999-12-31T00:00:00Z", "sentAt": "0001-01-01T00:00:00Z"},
            "too far apart",
            id="times far apart",
        ),
    ],
)
def test_a_message_that_is_none_is_refused(message: object, words: str) -> None:
    with pytest.raises(EventRefused, match=words):
        event_of(message, sent_at=None, received=NOW)


def test_a_path_says_what_a_message_is_before_the_message_does() -> None:
    assert read({"type": "page", "userId": 7, "event": "used"}, type_="track").name == "used"
    assert event_of(TRACK, sent_at=None, received=NOW, type_="page") is None


@pytest.mark.parametrize(
    ("times", "sent_at", "happened"),
    [
        pytest.param({}, None, NOW, id="not told"),
        pytest.param({}, "2026-11-29T10:00:00Z", NOW, id="not told, of a batch that says when it was sent"),
        pytest.param(
            {"timestamp": "2026-11-29T10:00:00Z"}, None, NOW - timedelta(hours=2), id="told, and not when it was sent"
        ),
        pytest.param(
            {"timestamp": "2026-11-29T10:00:00+02:00"}, None, NOW - timedelta(hours=4), id="told at another offset"
        ),
        pytest.param({"timestamp": "2026-11-29T10:00:00"}, None, NOW - timedelta(hours=2), id="told without an offset"),
        pytest.param(
            {"timestamp": "2030-01-01T00:00:00Z"}, "2030-01-01T03:00:00Z", NOW - timedelta(hours=3), id="by the batch's"
        ),
        pytest.param(
            {"timestamp": "2030-01-01T00:00:00Z", "sentAt": "2030-01-01T01:00:00Z"},
            "2030-01-01T03:00:00Z",
            NOW - timedelta(hours=1),
            id="by its own before the batch's",
        ),
    ],
)
def test_an_event_happened_as_long_before_it_was_received_as_before_it_was_sent(
    times: dict[str, object], sent_at: object, happened: datetime
) -> None:
    assert read(TRACK | times, sent_at=sent_at).occurred_at == happened


@pytest.mark.parametrize(
    ("told", "named"),
    [
        pytest.param("m-1", "m-1", id="a text"),
        pytest.param(42, "42", id="a number"),
        pytest.param("grün 1", "gr_n_1", id="letters that no id has"),
        pytest.param("!~", "!~", id="the first and the last that one has"),
        pytest.param("a" * 43, "a" * 43, id="as long as is kept"),
        pytest.param("a" * 44, "a" * 43, id="longer"),
    ],
)
def test_an_events_id_begins_with_the_messages(told: object, named: str) -> None:
    name, _, digits = read(TRACK | {"messageId": told}).event_id.rpartition(".")

    assert name == named
    assert len(digits) == 20
    assert int(digits, 16)


def test_a_message_that_is_sent_again_is_the_same_event() -> None:
    message = TRACK | {"messageId": "m", "properties": {"a": 1, "b": 2}, "timestamp": "2026-11-29T10:00:00Z"}
    again = dict(reversed(message.items())) | {"properties": {"b": 2, "a": 1}, "context": {"library": "x"}}

    first, second = read(message, sent_at="2026-11-29T10:01:00Z"), read(again, sent_at="2026-11-29T10:02:00Z")

    assert first.event_id == second.event_id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"messageId": "n"}, id="another id"),
        pytest.param({"userId": 8}, id="another user"),
        pytest.param({"event": "bought"}, id="another event"),
        pytest.param({"properties": {"a": 2}}, id="other properties"),
        pytest.param({"timestamp": "2026-11-29T10:00:01Z"}, id="another time"),
    ],
)
def test_a_message_that_says_something_else_is_another_event(other: dict[str, object]) -> None:
    message = TRACK | {"messageId": "m", "properties": {"a": 1}, "timestamp": "2026-11-29T10:00:00Z"}

    assert read(message).event_id != read(message | other).event_id


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_message_without_an_id_is_an_event_of_its_own(nothing: object) -> None:
    message = TRACK | {"messageId": nothing}

    assert read(message).event_id != read(message).event_id
