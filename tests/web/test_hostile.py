"""Whatever is sent, the answer is a sentence, nothing half of it is stored, and others are served meanwhile."""

import asyncio
import base64
import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_rows import make_users, rows
from sqlalchemy import Engine
from web_world import KEY, PATIENCE, Served, message_ids, serving

from skene_dagster.store.engine import open_engine

TRACK = {"type": "track", "userId": 7, "event": "used"}
BASIC = base64.b64encode(f"{KEY}:".encode()).decode()
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Engine]]:
    root = tmp_path_factory.mktemp("web")
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    with serving(url, root) as served:
        yield served, engine
        # Nothing that was sent here ended it, or made it show a stack trace.
        assert served.track().status == 200
        status, logged = served.stop()
        assert status == 0
        assert "Traceback" not in logged
    engine.dispose()


def head(length: int, *more: str) -> bytes:
    lines = ["POST /v1/track HTTP/1.1", "Host: x", f"Authorization: Basic {BASIC}", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"{", "not JSON", id="half"),
        pytest.param(b"userId=7&event=used", "not JSON", id="a form"),
        pytest.param(b"\xff\xfe{\x00}\x00", "not JSON", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", "not JSON", id="a byte order mark"),
        pytest.param(b'{"userId":7,"event":"\xff"}', "not JSON", id="no UTF-8"),
        pytest.param(b"[" * 30_000, "not readable JSON", id="deep, and unfinished"),
        pytest.param(b"[" * 15_000 + b"]" * 15_000, "nested too deep", id="deep"),
        pytest.param(b'{"userId":7,"event":"used","properties":{"a":NaN}}', "not JSON", id="NaN"),
        pytest.param(b'{"userId":7,"event":"used","properties":{"a":-Infinity}}', "not JSON", id="Infinity"),
        pytest.param(b'{"userId":7,"event":"used","properties":{"a":1e999}}', "as JSON", id="1e999"),
        pytest.param(b'{"userId":' + b"9" * 10_000 + b"}", "thousands of digits", id="a number of 10,000 digits"),
        pytest.param(b'{"userId":7,"event":"a","event":"b"}', 'key "event" twice', id="a key twice"),
        pytest.param(
            b'{"userId":7,"event":"a","\\u0065vent":"a"}', 'key "event" twice', id="a key twice, written otherwise"
        ),
        pytest.param(
            b'{"userId":7,"event":"a","properties":{"x":[{"plan":1,"plan":1}]}}', 'key "plan" twice', id="nested, twice"
        ),
        pytest.param(b'{"writeKey":"a-write-key","writeKey":"x"}', 'key "writeKey" twice', id="the write key twice"),
        pytest.param(b'{"\\ud800":1,"\\ud800":2}', 'key "\\ud800" twice', id="half a character for a key, twice"),
        pytest.param(b'{"' + b"k" * 9_000 + b'":1,"' + b"k" * 9_000 + b'":2}', 'key "kkk', id="a long key twice"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b'"track"', "not a JSON object", id="a text"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b"{}", "neither userId nor anonymousId", id="an empty object"),
        pytest.param(b'{"userId":7}', "name is not a string", id="no event"),
        pytest.param(b'{"userId":7,"event":["used"]}', "name is not a string", id="a list for an event"),
        pytest.param(b'{"userId":{"a":1},"event":"used"}', "type dict", id="an object for a user"),
        pytest.param(b'{"userId":true,"event":"used"}', "type bool", id="true for a user"),
        pytest.param(b'{"userId":7,"event":"used","properties":[1]}', "not an object", id="a list of properties"),
        pytest.param(b'{"userId":7,"event":"used","properties":"x"}', "not an object", id="a text of properties"),
        pytest.param(b'{"userId":7,"event":"used","messageId":[1]}', "messageId", id="a list for an id"),
        pytest.param(b'{"userId":7,"event":"us\\u0000ed"}', "control", id="NUL in a name"),
        pytest.param(b'{"userId":7,"event":"us\\ud800ed"}', "half a character", id="half a character in a name"),
        pytest.param(
            b'{"userId":7,"event":"used","properties":{"a":"\\ud800"}}', "half a character", id="half a character"
        ),
        pytest.param(
            b'{"userId":7,"event":"used","properties":' + b'{"a":' * 900 + b"1" + b"}" * 901, "nested", id="nested"
        ),
        pytest.param(
            b'{"userId":7,"event":"used","properties":{"a":' + b"9" * 400 + b"}}", "no database can hold", id="huge"
        ),
        pytest.param(b'{"userId":"1; DROP TABLE users","event":"used"}', "plain digits", id="SQL for a user"),
    ],
)
def test_a_body_that_is_no_event_is_refused_in_a_sentence(
    world: tuple[Served, Engine], body: bytes, words: str
) -> None:
    served, engine = world
    before = len(rows(engine))

    answer = served.post("/v1/track", body)

    assert answer.status == 400
    assert words in answer.body["message"]
    assert KEY not in str(answer.body)
    assert len(str(answer.body)) < 300
    assert len(rows(engine)) == before


@pytest.mark.parametrize("told", ["01", " 1", "1 ", "1.0", "+1", "-0", "\uff11", "1e0", "1" * 40, "", 1.0, True, [1]])
def test_another_spelling_of_a_users_id_is_refused_and_no_other_users(
    world: tuple[Served, Engine], told: object
) -> None:
    served, engine = world
    before = len(rows(engine))

    answer = served.track(userId=told)

    assert answer.status == 400
    assert "userId" in answer.body["message"] or "user's id" in answer.body["message"]
    assert len(rows(engine)) == before


@pytest.mark.parametrize("body", [b"{}", b'{"batch":{}}', b'{"batch":null}', b'{"batch":"x"}', b"[]"])
def test_a_batch_that_is_none_is_refused(world: tuple[Served, Engine], body: bytes) -> None:
    assert world[0].post("/v1/batch", body).status == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense", "image/png", ""])
def test_json_is_taken_whatever_it_is_called(world: tuple[Served, Engine], kind: str) -> None:
    assert world[0].post("/v1/track", TRACK, {"Content-Type": kind}).status == 200


def test_odd_but_right_properties_are_stored_as_they_are(world: tuple[Served, Engine]) -> None:
    served, engine = world
    properties = {"nul": "\0", "quote": "';\"\\", "percent": "%s %(a)s", "emoji": "👩‍👩‍👧", "": "no name"}

    answer = served.track(properties=properties, messageId="odd", event="100 % 'used' \\")

    assert answer.status == 200
    (row,) = (row for row in rows(engine) if row["event_id"].startswith("odd."))
    assert json.loads(row["properties"]) == properties
    assert row["name"] == "100 % 'used' \\"


def test_a_gzip_body_is_inflated(world: tuple[Served, Engine]) -> None:
    served, engine = world

    answer = served.post("/v1/track", gzip.compress(json.dumps(TRACK | {"messageId": "zipped"}).encode()), GZIP)

    assert answer.status == 200
    assert "zipped" in message_ids(engine)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param(json.dumps(TRACK).encode(), 400, "is not gzip", id="not gzip"),
        pytest.param(gzip.compress(json.dumps(TRACK).encode())[:-9], 400, "one whole gzip", id="cut off"),
        pytest.param(gzip.compress(json.dumps(TRACK).encode()) * 2, 400, "one whole gzip", id="twice"),
        pytest.param(gzip.compress(b"{}" + b" " * 33_000), 413, "larger than 32768", id="larger than it looks"),
        pytest.param(gzip.compress(b" " * 30_000_000), 413, "larger than 32768", id="a bomb"),
        pytest.param(zlib.compress(json.dumps(TRACK).encode()), 400, "is not gzip", id="zlib"),
        pytest.param(b"", 400, "not JSON", id="nothing"),
    ],
)
def test_a_gzip_body_that_is_none_or_too_large_is_refused(
    world: tuple[Served, Engine], body: bytes, status: int, words: str
) -> None:
    answer = world[0].post("/v1/track", body, GZIP)

    assert answer.status == status
    assert words in answer.body["message"]


def test_a_gzip_body_takes_the_room_that_it_is_inflated_to(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    engine.dispose()
    body = gzip.compress(b" " * 400_000)
    with serving(url, tmp_path, body_bytes=300_000) as served:
        assert served.post("/v1/batch", body, GZIP).status == 429


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, gzip", "zstd"])
def test_another_encoding_is_refused(world: tuple[Served, Engine], encoding: str) -> None:
    answer = world[0].post("/v1/track", TRACK, {"Content-Encoding": encoding})

    assert answer.status == 415
    assert answer.headers["accept-encoding"] == "gzip"


def test_a_body_as_large_as_may_be_is_taken_and_one_byte_more_is_not(world: tuple[Served, Engine]) -> None:
    served, _ = world
    single = json.dumps(TRACK).encode()
    batch = json.dumps({"batch": [TRACK]}).encode()

    answers = [
        served.post(path, body.ljust(limit + more)).status
        for path, body, limit in (("/v1/track", single, 32 * 1024), ("/v1/batch", batch, 500 * 1024))
        for more in (0, 1)
    ]

    assert answers == [200, 413, 200, 413]


def test_a_batch_of_too_many_messages_is_refused(world: tuple[Served, Engine]) -> None:
    served, engine = world
    before = len(rows(engine))
    tiny = {"type": "track", "userId": 1, "event": "u"}

    answers = [served.batch(*[tiny] * count).status for count in (2_501, 2_500)]

    assert answers == [413, 200]
    assert len(rows(engine)) - before == 2_500


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="another version"),
        pytest.param(b"POST /v1/track HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="a length below zero"),
        pytest.param(
            b"POST /v1/track HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="of_user"
        ),
        pytest.param(head(100) + b'{"userId":7,', id="half a body"),
        pytest.param(b"POST /v1/track HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", id="no chunks"),
    ],
)
def test_a_connection_that_breaks_off_or_makes_no_sense_harms_nobody(world: tuple[Served, Engine], sent: bytes) -> None:
    served, _ = world

    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as client:
        client.sendall(sent)

    assert served.track().status == 200


def test_a_thousand_requests_at_once_are_all_committed(world: tuple[Served, Engine]) -> None:
    served, engine = world

    async def one(number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        body = json.dumps(TRACK | {"messageId": f"many-{number:04}"}).encode()
        writer.write(head(len(body)))
        await writer.drain()
        writer.write(body)
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return status

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(one(number) for number in range(1_000)))

    answers = asyncio.run(all_of_them())

    assert set(answers) == {b"HTTP/1.1 200 OK\r\n"}
    assert [one for one in message_ids(engine) if one.startswith("many")] == [
        f"many-{number:04}" for number in range(1_000)
    ]


def test_slow_clients_are_sent_away_and_hold_up_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("slow")
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    engine.dispose()
    with serving(url, root, body_seconds=1.5) as served:
        slow = [socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) for _ in range(50)]
        for client in slow:
            client.sendall(head(100) + b'{"userId"')
        started = time.monotonic()

        answers = [served.track().status for _ in range(5)]
        served_after = time.monotonic() - started
        sent_away = {client.recv(1000)[:13] for client in slow}

        for client in slow:
            client.close()
    assert answers == [200] * 5
    assert served_after < 1.5
    assert sent_away == {b"HTTP/1.1 408 "}
