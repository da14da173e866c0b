"""A client that never ends, or never listens, is sent away; one that is still sending hears the answer nevertheless."""

import base64
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path

import pytest
import requests
from event_rows import make_users
from web_world import KEY, PATIENCE, Served, serving

from skene_dagster.store.engine import open_engine
from skene_dagster.web.limits import Limits

BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
BEGUN = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"
CHUNKED = BEGUN + f"Authorization: {BASIC}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
TRACK = b'{"userId": 7, "event": "used"}'
MUCH = 5_000_000
LIMITS = {"head_seconds": 1, "idle_seconds": 1, "body_seconds": 1.5, "unread_seconds": 1.5, "connections": 20}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all, with limits that a test can wait for."""
    root = tmp_path_factory.mktemp("web")
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    engine.dispose()
    with serving(url, root, **LIMITS) as served:
        yield served
        # Whatever came, it is alive, and had nothing to say about it.
        assert served.track().status == 200
        assert served.stop() == (0, "")


@contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as client:
        yield client


def heard(client: socket.socket) -> bytes:
    """Read until the other side has ended."""
    parts = []
    with suppress(ConnectionError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def sent_until_cut(client: socket.socket, parts: Iterator[bytes]) -> int:
    """Send until the other side lets go; return how much that was."""
    sent = 0
    with suppress(ConnectionError):
        for part in parts:
            client.sendall(part)
            sent += len(part)
    return sent


@pytest.mark.parametrize(
    ("begun", "goes_on"),
    [
        pytest.param(BEGUN, b"X-Header: value\r\n", id="header lines"),
        pytest.param(BEGUN + b"X-Header: ", b"v" * 1000, id="a header's value"),
        pytest.param(BEGUN, b"n" * 1000, id="a header's name"),
        pytest.param(b"POST /", b"u" * 1000, id="a path"),
        pytest.param(b"POST /?", b"u=1&" * 250, id="a query"),
        pytest.param(CHUNKED + b"1;", b"e" * 1000, id="a chunk's extension"),
        pytest.param(CHUNKED + b"0\r\n", b"X-Trailer: value\r\n", id="trailers"),
    ],
)
def test_what_has_no_end_is_refused_and_the_client_is_sent_away(served: Served, begun: bytes, goes_on: bytes) -> None:
    with connected(served) as client:
        client.sendall(begun + goes_on * (3 * Limits().head_bytes // len(goes_on)))
        answer = heard(client)

    assert statuses(answer) == [431]
    assert b"connection: close" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "long_head"


def test_who_does_not_stop_sending_headers_is_cut_off(served: Served) -> None:
    with connected(served) as client:
        sent = sent_until_cut(client, repeat(b"X-Header: " + b"v" * 65_000 + b"\r\n"))

    assert sent < Limits().unread_bytes + 16_000_000  # what two sockets hold


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"GET /", id="no end of the path"),
        pytest.param(BEGUN, id="no end of the headers"),
        pytest.param(b"\r\n", id="blank lines"),
        pytest.param(HEALTH + b"GET ", id="a second request"),
        pytest.param(HEALTH + b"\r\n", id="blank lines behind a request"),
    ],
)
def test_a_head_that_does_not_arrive_in_time_is_refused_though_some_of_it_still_comes(
    served: Served, begun: bytes
) -> None:
    with connected(served) as client:
        client.sendall(begun)
        client.settimeout(0.05)
        answer, ended = b"", False
        while not ended:
            try:
                part = client.recv(65536)
                answer, ended = answer + part, not part
            except TimeoutError:
                client.sendall(b"\r\n" if begun.endswith(b"\n\r\n") or begun == b"\r\n" else b"x")
            except ConnectionError:
                ended = True

    assert statuses(answer)[-1] == 408
    assert statuses(answer)[:-1] == [200] * begun.count(b"HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_body_that_trickles_is_refused(served: Served) -> None:
    with connected(served) as client:
        client.sendall(CHUNKED)
        client.settimeout(0.05)
        answer = b""
        while not answer:
            try:
                answer = client.recv(65536)
            except TimeoutError:
                client.sendall(b"1\r\nx\r\n")

    assert statuses(answer) == [408]


def test_who_connects_and_says_nothing_is_sent_away(served: Served) -> None:
    with connected(served) as client:
        assert heard(client) == b""


def test_who_is_silent_after_an_answer_is_sent_away(served: Served) -> None:
    with connected(served) as client:
        client.sendall(HEALTH)

        assert statuses(heard(client)) == [200]


def test_more_connections_than_may_be_open_are_told_to_come_again(served: Served) -> None:
    answers = []
    clients = [socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) for _ in range(25)]
    for client in clients:
        with client:
            answers.append(heard(client))

    assert [statuses(answer) for answer in answers] == [[]] * 20 + [[429]] * 5


def test_who_may_have_few_files_open_keeps_some_for_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    engine.dispose()
    with serving(url, tmp_path, files=110, head_seconds=60) as served:
        clients = [socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) for _ in range(60)]
        refused = [statuses(heard(client)) for client in clients[-10:]]
        clients[0].sendall(BEGUN + f"Authorization: {BASIC}\r\nContent-Length: {len(TRACK)}\r\n\r\n".encode() + TRACK)
        taken = statuses(clients[0].recv(1000))
        for client in clients:
            client.close()
        status, logged = served.stop()

    assert refused == [[429]] * 10
    assert taken == [200]
    assert (status, logged) == (0, "")


@pytest.mark.parametrize("count", [90, 120])
def test_a_hundred_headers_are_enough(served: Served, count: int) -> None:
    with connected(served) as client:
        client.sendall(HEALTH[:-2] + b"".join(b"X-%d: v\r\n" % number for number in range(count)) + b"\r\n")

        assert statuses(heard(client)) == [200 if count < 100 else 431]


REFUSED: list[object] = [
    pytest.param("/v1/batch", {"Authorization": BASIC}, 413, id="too large"),
    pytest.param("/v1/track", {"Authorization": "Basic wrong"}, 401, id="another write key"),
    pytest.param("/v1/batch", {"Authorization": BASIC, "Content-Encoding": "br"}, 415, id="another encoding"),
    pytest.param("/v1/nothing", {}, 404, id="no such path"),
    pytest.param("/healthz", {}, 405, id="no such method"),
]


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED)
@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
def test_who_sends_all_before_listening_hears_why_it_is_refused(
    served: Served, path: str, headers: Mapping[str, str], status: int, chunked: bool
) -> None:
    body = (b" " * 10_000 for _ in range(MUCH // 10_000)) if chunked else b" " * MUCH

    answer = requests.post(f"http://127.0.0.1:{served.port}{path}", body, headers=headers, timeout=PATIENCE)

    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("size", [1_000_000, 20_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
def test_a_body_over_the_limit_is_answered_and_not_reset(served: Served, size: int, chunked: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    body = b" " * size

    connection.request(
        "POST", "/v1/batch", iter([body]) if chunked else body, {"Authorization": BASIC}, encode_chunked=chunked
    )
    answer = connection.getresponse()

    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert json.loads(answer.read())["message"] == "The body is larger than 512000 bytes."
    connection.close()


def test_who_asks_before_sending_too_much_need_not_send_it(served: Served) -> None:
    with connected(served) as client:
        client.sendall(
            BEGUN + f"Authorization: {BASIC}\r\nContent-Length: {10**9}\r\nExpect: 100-continue\r\n\r\n".encode()
        )

        assert statuses(client.recv(1000)) == [413]


def test_who_asks_before_sending_what_is_taken_is_told_to_go_on(served: Served) -> None:
    with connected(served) as client:
        client.sendall(BEGUN + f"Authorization: {BASIC}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())

        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    "begun", [pytest.param(CHUNKED, id="too large"), pytest.param(CHUNKED.replace(b"Basic ", b"Basic x"), id="no key")]
)
def test_who_never_stops_sending_a_body_is_cut_off(served: Served, begun: bytes) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with connected(served) as client:
        client.sendall(begun)
        sent = sent_until_cut(client, repeat(chunk))

    assert sent < Limits().unread_bytes + 16_000_000  # what two sockets hold


def test_requests_that_come_at_once_are_answered_in_turn(served: Served) -> None:
    with connected(served) as client:
        client.sendall(HEALTH * 50)

        assert statuses(heard(client)) == [200] * 50


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no request"),
        pytest.param(CHUNKED + b"nonsense\r\n", id="a request whose body is none"),
    ],
)
def test_what_makes_no_sense_behind_a_request_does_not_take_its_answer_away(served: Served, behind: bytes) -> None:
    whole = BEGUN + f"Authorization: {BASIC}\r\nContent-Length: {len(TRACK)}\r\n\r\n".encode() + TRACK
    with connected(served) as client:
        client.sendall(whole + behind)

        assert statuses(heard(client)) == [200]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="no HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, id="another version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="the whole server"),
        pytest.param(b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="a proxy"),
        pytest.param(BEGUN + b"Content-Length: -1\r\n\r\n", 400, id="a length below zero"),
        pytest.param(BEGUN + b"Content-Length: 5, 6\r\n\r\n", 400, id="two lengths"),
        pytest.param(BEGUN + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400, id="a length of 40 digits"),
        pytest.param(BEGUN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, id="length and chunks"),
        pytest.param(BEGUN + b"X-Header : v\r\n\r\n", 400, id="a blank behind a header's name"),
        pytest.param(BEGUN + b"X-Header: a\0b\r\n\r\n", 400, id="NUL in a header"),
        pytest.param(CHUNKED + b"xyz\r\n", 400, id="no chunks"),
        pytest.param(CHUNKED + b"f" * 17 + b"\r\n", 400, id="a chunk without end"),
        pytest.param(BEGUN + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 400, id="an upgrade"),
        pytest.param(
            BEGUN + b"X-Forwarded-For: '; DROP TABLE users, \xff\r\nContent-Length: 0\r\n\r\n", 400, id="forwarded"
        ),
        pytest.param(BEGUN.replace(b"POST", b"OPTIONS") + b"Origin: https://example.com\r\n\r\n", 405, id="CORS"),
        pytest.param(BEGUN.replace(b"POST", b"TRACE") + b"\r\n", 405, id="TRACE"),
    ],
)
def test_what_cannot_be_taken_is_answered(served: Served, sent: bytes, status: int) -> None:
    with connected(served) as client:
        client.sendall(sent)
        answer = client.recv(65536)

    assert statuses(answer) == [status]
    assert b"access-control" not in answer.lower()
    assert KEY.encode() not in answer


def test_head_is_answered_as_get_is_without_a_body(served: Served) -> None:
    with connected(served) as client:
        client.sendall(HEALTH.replace(b"GET", b"HEAD"))

        assert heard(client).endswith(b"\r\n\r\n")
