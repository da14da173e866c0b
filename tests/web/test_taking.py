"""What becomes of Segment's messages: `track` is a row, the others are taken; what cannot be stored is named."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from event_rows import ids, make_users, rows
from sqlalchemy import Engine
from web_world import KEY, Served, message_ids, serving

from skene_dagster.store.engine import open_engine

TRACK = {"type": "track", "userId": 7, "event": "used"}


@pytest.fixture
def served(engine: Engine, tmp_path: Path) -> Iterator[Served]:
    make_users(engine)
    with serving(engine.url.render_as_string(hide_password=False), tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Engine]]:
    """One process on SQLite for all tests that the database makes no difference to."""
    root = tmp_path_factory.mktemp("web")
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    with serving(url, root) as served:
        yield served, engine
    engine.dispose()


def row(engine: Engine, message_id: str) -> dict[str, Any]:
    (found,) = (row for row in rows(engine) if row["event_id"].startswith(f"{message_id}."))
    return found


def test_an_event_that_was_answered_with_200_is_in_the_database(engine: Engine, served: Served) -> None:
    at = datetime(2026, 3, 14, 9, 26, 53, 589000)

    answer = served.track(properties={"plan": "Größe"}, timestamp=at.isoformat() + "Z", messageId="m-1")

    assert (answer.status, answer.body) == (200, {"success": True})
    (stored,) = rows(engine)
    assert json.loads(stored.pop("properties")) == {"plan": "Größe"}
    assert abs(stored.pop("received_at") - datetime.now(timezone.utc).replace(tzinfo=None)) < timedelta(minutes=1)
    assert stored.pop("event_id").startswith("m-1.")
    assert stored == {"user_id": 7, "name": "used", "occurred_at": at}


def test_the_same_message_is_stored_once_however_often_it_is_sent(engine: Engine, served: Served) -> None:
    message = TRACK | {"messageId": "m-1"}

    answers = [served.batch(message, message), served.batch(message), served.post("/v1/track", message)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert message_ids(engine) == ["m-1"]


def test_of_a_batch_what_can_be_stored_is_and_the_rest_is_named(engine: Engine, served: Served) -> None:
    answer = served.batch(
        TRACK | {"messageId": "m-1"},
        TRACK | {"userId": "nobody@example.com"},
        {"type": "identify", "userId": 7, "traits": {"email": "ada@example.com"}},
        {"type": "page", "userId": 7, "name": "Home"},
        {"type": "track", "anonymousId": "abc", "event": "used"},
        {"type": "track", "event": "used"},
        {"type": "nonsense", "userId": 7},
        "nonsense",
        TRACK | {"event": None},
        TRACK | {"messageId": "m-2"},
    )

    assert answer.status == 200
    assert message_ids(engine) == ["m-1", "m-2"]
    assert (answer.body["success"], answer.body["ignored"]) == (True, 3)
    assert {one["index"]: one["message"] for one in answer.body["refused"]} == {
        1: "The users key is an integer, but the user's id is not an integer in plain digits.",
        5: "The message has neither userId nor anonymousId.",
        6: "The message's type is not track, identify, page, screen, group or alias.",
        7: "The message is not a JSON object.",
        8: "The event's name is not a string.",
    }


def test_nothing_of_what_was_sent_is_logged(engine: Engine, served: Served) -> None:
    served.batch(TRACK, TRACK | {"userId": "ada@example.com"}, TRACK | {"event": "secret" * 100})
    served.post("/v1/batch", b'{"batch": [{"userId": "ada@example.com", "secret')
    served.post("/v1/track?secret=1", TRACK, auth="secret")
    served.get("/secret")

    status, logged = served.stop()

    assert status == 0
    assert len(rows(engine)) == 1
    assert "secret" not in logged
    assert "ada" not in logged
    assert "Messages refused: " in logged


@pytest.mark.parametrize("path", ["identify", "page", "screen", "group", "alias"])
def test_what_says_who_somebody_is_or_what_they_look_at_is_taken_and_not_stored(
    embedded: tuple[Served, Engine], path: str
) -> None:
    served, engine = embedded
    before = len(rows(engine))

    answer = served.post(f"/v1/{path}", {"userId": 7, "traits": {"email": "ada@example.com"}})

    assert (answer.status, answer.body) == (200, {"success": True, "ignored": 1})
    assert len(rows(engine)) == before


def test_a_batch_of_which_nothing_can_be_taken_is_refused(embedded: tuple[Served, Engine]) -> None:
    answer = embedded[0].batch(TRACK | {"userId": 1.5}, {})

    assert answer.status == 400
    assert answer.body["message"] == "The user's id is of type float."


def test_an_empty_batch_is_taken(embedded: tuple[Served, Engine]) -> None:
    assert embedded[0].batch().status == 200


def test_a_time_is_corrected_by_how_wrong_the_clients_clock_is(embedded: tuple[Served, Engine]) -> None:
    served, engine = embedded
    wrong = datetime(2031, 1, 1, tzinfo=timezone(timedelta(hours=2)))

    served.batch(
        TRACK | {"messageId": "skewed", "timestamp": (wrong - timedelta(hours=5)).isoformat()},
        TRACK | {"messageId": "own", "timestamp": "2020-01-01T00:00:00Z", "sentAt": "2020-01-01T01:00:00Z"},
        sentAt=wrong.isoformat(),
    )

    for message, hours in {"skewed": 5, "own": 1}.items():
        stored = row(engine, message)
        ago = stored["received_at"] - stored["occurred_at"]
        assert abs(ago - timedelta(hours=hours)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        pytest.param({"timestamp": "yesterday"}, "timestamp is not a time", id="no time"),
        pytest.param({"timestamp": 1_700_000_000}, "timestamp is not a time", id="a number"),
        pytest.param({"timestamp": ["2026-01-01T00:00:00Z"]}, "timestamp is not a time", id="a list"),
        pytest.param({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp is not a time", id="before all times"),
        pytest.param(
            {"timestamp": "2026-01-01T00:00:00Z", "sentAt": {}}, "sentAt is not a time", id="sent at an object"
        ),
        pytest.param(
            {"timestamp": "9999-12-31T23:59:59Z", "sentAt": "0001-01-01T00:00:00Z"}, "too far apart", id="far apart"
        ),
        pytest.param({"timestamp": "2999-01-01T00:00:00Z"}, "in the future", id="the future"),
        pytest.param({"timestamp": "1999-01-01T00:00:00Z"}, "10 years in the past", id="the past"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    embedded: tuple[Served, Engine], times: dict[str, object], words: str
) -> None:
    answer = embedded[0].track(**times)

    assert answer.status == 400
    assert words in answer.body["message"]


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        pytest.param("6f1c0c1e-9a53-4d0f-8a56-0242ac120002", "6f1c0c1e-9a53-4d0f-8a56-0242ac120002", id="a UUID"),
        pytest.param("node-next-1764100000000-" + "a" * 36, "node-next-1764100000000-" + "a" * 19, id="a long one"),
        pytest.param("grün 1", "gr_n_1", id="one that is not ASCII"),
        pytest.param("\ud800", "_", id="half a character"),
        pytest.param(42, "42", id="a number"),
    ],
)
def test_an_event_is_found_by_its_message_id(embedded: tuple[Served, Engine], told: object, stored: str) -> None:
    served, engine = embedded

    answers = [served.track(messageId=told).status for _ in range(2)]

    assert answers == [200, 200]
    assert message_ids(engine).count(stored) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"userId": 8}, id="another user"),
        pytest.param({"event": "bought"}, id="another event"),
        pytest.param({"properties": {"plan": "pro", "seats": 3}}, id="other properties"),
        pytest.param({"timestamp": "2026-03-14T09:26:54Z"}, id="another moment"),
    ],
)
def test_a_message_id_that_another_writer_used_for_something_else_takes_nothing_away(
    embedded: tuple[Served, Engine], other: dict[str, object]
) -> None:
    served, engine = embedded
    message = TRACK | {"messageId": str(other), "timestamp": "2026-03-14T09:26:53Z", "properties": {"plan": "pro"}}

    answers = [served.batch(one).status for one in (message, message | other, message, message | other)]

    assert answers == [200] * 4
    stored = [row for row in rows(engine) if row["event_id"].startswith(str(other).replace(" ", "_")[:43])]
    assert len(stored) == 2


def test_a_message_that_is_sent_again_is_one_event_however_it_is_written(embedded: tuple[Served, Engine]) -> None:
    served, engine = embedded
    message = TRACK | {"messageId": "again", "properties": {"a": 1, "b": 2}, "timestamp": "2026-03-14T09:26:53Z"}
    reordered = dict(reversed(message.items())) | {"properties": {"b": 2, "a": 1}}

    served.batch(message, sentAt="2026-03-14T09:27:00Z")
    served.batch(reordered, sentAt="2026-03-14T09:28:00Z")
    served.post("/v1/track", message | {"context": {"library": "other"}})

    assert message_ids(engine).count("again") == 1


def test_a_message_without_id_gets_one(embedded: tuple[Served, Engine]) -> None:
    served, engine = embedded
    before = set(ids(engine))

    served.batch(TRACK, TRACK | {"messageId": None})

    assert len(set(ids(engine)) - before) == 2


@pytest.mark.parametrize(
    ("auth", "body", "status"),
    [
        pytest.param(f"{KEY}:", {}, 200, id="basic"),
        pytest.param(KEY, {}, 200, id="basic without a colon"),
        pytest.param(f"{KEY}:ignored", {"writeKey": "wrong"}, 200, id="basic goes before the body"),
        pytest.param(None, {"writeKey": KEY}, 200, id="in the body"),
        pytest.param("wrong:", {"writeKey": KEY}, 401, id="wrong"),
        pytest.param("", {}, 401, id="empty"),
        pytest.param(f":{KEY}", {}, 401, id="as the password"),
        pytest.param("schlüssel:", {}, 401, id="not ASCII"),
        pytest.param(None, {}, 401, id="none"),
        pytest.param(None, {"writeKey": "wrong"}, 401, id="wrong in the body"),
        pytest.param(None, {"writeKey": [KEY]}, 401, id="a list in the body"),
        pytest.param(None, {"writeKey": "\ud800"}, 401, id="half a character in the body"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/identify"])
def test_events_are_taken_from_who_shows_the_write_key(
    embedded: tuple[Served, Engine], path: str, auth: str | None, body: dict[str, object], status: int
) -> None:
    sent = TRACK | {"batch": []} | body

    answer = embedded[0].post(path, sent, auth=auth)

    assert answer.status == status
    assert answer.body["success"] == (status == 200)


@pytest.mark.parametrize("header", ["Bearer a-write-key", "Basic !!!", "Basic", "Basic //79", "Digest x", ""])
def test_an_authorization_of_another_kind_is_none(embedded: tuple[Served, Engine], header: str) -> None:
    answer = embedded[0].post("/v1/track", TRACK | {"writeKey": KEY}, {"Authorization": header}, auth=None)

    assert answer.status == 401


def test_a_path_or_method_that_there_is_not_is_told_in_json(embedded: tuple[Served, Engine]) -> None:
    served, _ = embedded

    answers = [served.post("/v1/nothing", {}), served.get("/v1/track"), served.post("/healthz", {})]

    assert [(answer.status, answer.body["code"]) for answer in answers] == [
        (404, "not_found"), (405, "not_allowed"), (405, "not_allowed"),
    ]  # fmt: skip


def test_the_process_is_up_and_the_database_is_ready(embedded: tuple[Served, Engine]) -> None:
    served, _ = embedded

    assert [(served.get(path).status, served.get(path).body) for path in ("/healthz", "/readyz")] == [
        (200, {"ok": True})
    ] * 2
