"""What a request is answered, counted message by message; and how a client's body and key are taken."""

import asyncio
import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from scripted_journal import ScriptedJournal
from starlette.applications import Starlette
from starlette.types import Message, Scope

from skene_dagster.web.app import make_app
from skene_dagster.web.events.api import events_api
from skene_dagster.web.limits import Limits

KEY = "a-write-key"
AS_BASIC = ("authorization", "Basic YS13cml0ZS1rZXk6")
TRACK = {"type": "track", "userId": 7, "event": "used"}
IDENTIFY = {"type": "identify", "userId": 7}
NOBODYS = {"type": "track", "userId": 100, "event": "used"}
REFUSED = "The user's id is not between 0 and 99, the range of the users key."


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


async def asked(app: Starlette, path: str, body: object, headers: Sequence[tuple[str, str]], method: str) -> Answer:
    """Send a request to the app, as a server does."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in (("content-length", str(len(data))), *headers)],
    }
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.disconnect"} if body is None else {"type": "http.request", "body": data}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        answer.raw += message.get("body", b"")

    await app(scope, receive, send)
    return answer


def answered(
    path: str,
    body: object,
    *headers: tuple[str, str],
    method: str = "POST",
    key: str | None = None,
    limits: Limits | None = None,
    journal: ScriptedJournal | None = None,
) -> Answer:
    """Start the app, ask it once, and stop it."""
    journal = journal or ScriptedJournal()
    journal.may.release(10)
    app = make_app([events_api(journal, write_key=key)], limits)

    async def alive() -> Answer:
        async with app.router.lifespan_context(app):
            return await asked(app, path, body, headers, method)

    answer = asyncio.run(alive())
    assert journal.is_closed
    assert "skene_dagster.web" not in {one.name for one in threading.enumerate()}
    return answer


def batch(*messages: object, journal: ScriptedJournal | None = None, **more: object) -> Answer:
    return answered("/v1/batch", {"batch": messages} | more, journal=journal)


def test_what_is_all_taken_is_answered_in_a_word() -> None:
    answer = answered("/v1/track", {"userId": 7, "event": "used"})

    assert (answer.status, answer.raw) == (200, b'{"success":true}')
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("type_", ["identify", "page", "screen", "group", "alias"])
def test_what_is_not_stored_is_counted(type_: str) -> None:
    answer = answered(f"/v1/{type_}", {"userId": 7})

    assert (answer.status, answer.body) == (200, {"success": True, "ignored": 1})


@pytest.mark.parametrize(
    ("messages", "status", "said"),
    [
        pytest.param([], 200, {"success": True}, id="none"),
        pytest.param([TRACK, TRACK], 200, {"success": True}, id="all are stored"),
        pytest.param([IDENTIFY, TRACK, IDENTIFY], 200, {"success": True, "ignored": 2}, id="some are not stored"),
        pytest.param(
            [TRACK, NOBODYS, IDENTIFY, 7],
            200,
            {
                "success": True,
                "ignored": 1,
                "refused": [
                    {"index": 1, "message": REFUSED},
                    {"index": 3, "message": "The message is not a JSON object."},
                ],
            },
            id="some are refused",
        ),
        pytest.param(
            [NOBODYS, IDENTIFY],
            200,
            {"success": True, "ignored": 1, "refused": [{"index": 0, "message": REFUSED}]},
            id="one is refused, and one not stored",
        ),
        pytest.param(
            [NOBODYS, 7], 400, {"success": False, "code": "invalid_request", "message": REFUSED}, id="all are refused"
        ),
    ],
)
def test_of_a_batch_is_said_what_became_of_its_messages(
    messages: list[object], status: int, said: dict[str, object]
) -> None:
    answer = batch(*messages)

    assert (answer.status, answer.body) == (status, said)


@pytest.mark.parametrize(
    ("messages", "status", "refused"),
    [
        pytest.param([7, "a", IDENTIFY, "b", "c"], 200, [0, 1, 4], id="some"),
        pytest.param(["a", "b"], 200, [0], id="one of two"),
        pytest.param(["a", "c"], 400, None, id="all"),
        pytest.param(["a", IDENTIFY], 200, [0], id="all but what is not stored"),
    ],
)
def test_what_the_database_refuses_is_named_by_its_place_in_the_batch(
    messages: list[object], status: int, refused: list[int] | None
) -> None:
    class Journal(ScriptedJournal):
        def store(self, fitted: Any) -> Any:
            self.refuses = {event.event_id for event in fitted if event.event_id[0] in "ac"}
            return super().store(fitted)

    answer = batch(
        *(TRACK | {"messageId": one} if isinstance(one, str) else one for one in messages), journal=Journal()
    )

    assert answer.status == status
    if refused is None:
        assert answer.body["message"].startswith("It refuses a.")
    else:
        assert [one["index"] for one in answer.body["refused"]] == refused


def test_twenty_refused_messages_are_named_and_all_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    answer = batch(TRACK, *[NOBODYS] * 21)

    assert [one["index"] for one in answer.body["refused"]] == list(range(1, 21))
    assert caplog.messages == [f"Messages refused: 21. The last one: {REFUSED}"]
    assert caplog.records[0].levelno == logging.WARNING


def test_what_was_refused_within_a_minute_is_logged_at_the_latest_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    journal = ScriptedJournal()
    app = make_app([events_api(journal, write_key=None)])

    async def alive() -> list[int]:
        async with app.router.lifespan_context(app):
            for _ in range(3):
                await asked(app, "/v1/batch", {"batch": [NOBODYS]}, (), "POST")
            return [len(caplog.messages)]

    said = asyncio.run(alive())

    assert said == [1]
    assert [line.split(".")[0] for line in caplog.messages] == ["Messages refused: 1", "Messages refused: 2"]


@pytest.mark.parametrize(
    ("count", "status"), [pytest.param(3, 200, id="as many as may be"), pytest.param(4, 413, id="more")]
)
def test_a_batch_has_so_many_messages(count: int, status: int) -> None:
    answer = answered("/v1/batch", {"batch": [IDENTIFY] * count}, limits=Limits(batch_messages=3))

    assert answer.status == status
    if status == 413:
        assert (answer.body["code"], answer.body["message"]) == ("too_large", "The batch has more than 3 messages.")


def test_the_limits_are_those_that_clients_are_told() -> None:
    told = Limits(
        message_bytes=32_768,
        batch_bytes=512_000,
        batch_messages=2500,
        connections=4000,
        head_bytes=16_384,
        headers=100,
        head_seconds=10,
        idle_seconds=5,
        body_seconds=10,
        unread_bytes=33_554_432,
        unread_seconds=5,
        requests=2000,
        body_bytes=67_108_864,
        waiting_events=20_000,
        answer_seconds=20,
    )

    assert Limits() == told


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        pytest.param("/v1/track", 100, 200, id="a message as large as may be"),
        pytest.param("/v1/track", 101, 413, id="a larger one"),
        pytest.param("/v1/batch", 200, 200, id="a batch as large as may be"),
        pytest.param("/v1/batch", 201, 413, id="a larger one of them"),
    ],
)
def test_a_body_has_so_much_room(path: str, size: int, status: int) -> None:
    body = json.dumps({"batch": [], "userId": 7, "event": "used"}).encode()

    answer = answered(path, body.ljust(size), limits=Limits(message_bytes=100, batch_bytes=200))

    assert answer.status == status


@pytest.mark.parametrize("body", [{}, {"batch": {}}, {"batch": None}, {"batch": "x"}])
def test_a_batch_without_a_list_is_refused(body: object) -> None:
    answer = answered("/v1/batch", body)

    assert (answer.status, answer.body["message"]) == (400, "The body has no list 'batch'.")


def test_a_batch_says_when_it_was_sent() -> None:
    wrong = {"timestamp": "2026-01-01T00:00:00Z"}

    assert batch(TRACK | wrong).status == 200
    assert batch(TRACK | wrong, sentAt="soon").body["message"].startswith("The message's sentAt")


@pytest.mark.parametrize(
    ("key", "headers", "more", "status"),
    [
        pytest.param(None, [], {}, 200, id="none is needed"),
        pytest.param(None, [("authorization", "Bearer x")], {}, 200, id="none is needed, and another is shown"),
        pytest.param(KEY, [AS_BASIC], {}, 200, id="in the header"),
        pytest.param(KEY, [AS_BASIC], {"writeKey": "other"}, 200, id="in the header, before the body"),
        pytest.param(KEY, [], {"writeKey": KEY}, 200, id="in the body"),
        pytest.param(KEY, [("authorization", "Bearer x")], {"writeKey": KEY}, 401, id="another in the header"),
        pytest.param(KEY, [], {}, 401, id="nowhere"),
        pytest.param(KEY, [], {"writeKey": "other"}, 401, id="another in the body"),
        pytest.param(KEY, [], {"writeKey": 7}, 401, id="a number in the body"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_a_client_shows_the_write_key(
    path: str, key: str | None, headers: list[tuple[str, str]], more: dict[str, object], status: int
) -> None:
    answer = answered(path, {"userId": 7, "event": "used", "batch": []} | more, *headers, key=key)

    assert answer.status == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Basic"
        assert answer.body["code"] == "invalid_write_key"


def test_a_wrong_key_in_the_header_is_refused_before_the_body_is_looked_at() -> None:
    assert answered("/v1/track", b"no JSON", ("authorization", "Basic x"), key=KEY).status == 401
    assert answered("/v1/track", b"no JSON", AS_BASIC, key=KEY).status == 400


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        pytest.param("/v1/nothing", "POST", 404, "not_found", id="no such path"),
        pytest.param("/v1/track", "GET", 405, "not_allowed", id="not to be read"),
        pytest.param("/healthz", "POST", 405, "not_allowed", id="not to be written"),
    ],
)
def test_what_there_is_not_is_said(path: str, method: str, status: int, code: str) -> None:
    answer = answered(path, b"", method=method)

    assert (answer.status, answer.body["code"], answer.body["success"]) == (status, code, False)
    assert ("allow" in answer.headers) == (status == 405)


def test_the_process_is_alive_and_the_database_is_not_ready() -> None:
    alive = answered("/healthz", b"", method="GET")
    ready = answered("/readyz", b"", method="GET")

    assert (alive.status, alive.body) == (200, {"ok": True})
    assert (ready.status, ready.body) == (
        503, {"ok": False, "message": "The skene_* tables are missing, or of another release."},
    )  # fmt: skip


def test_a_client_that_has_gone_is_answered_as_well_as_can_be() -> None:
    assert answered("/v1/track", None).status == 400


def test_requests_and_bodies_are_counted_together() -> None:
    assert answered("/v1/track", TRACK, limits=Limits(requests=1)).status == 200
    assert answered("/v1/track", TRACK, limits=Limits(requests=0)).status == 429
    assert answered("/v1/batch", {"batch": []}, limits=Limits(requests=0)).status == 429
    assert answered("/v1/track", TRACK, limits=Limits(body_bytes=10)).status == 429
