"""A connection is given so much time and room, counted exactly; time passes here as soon as nothing else is to do."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from skene_dagster.web.connections import limited
from skene_dagster.web.limits import Limits

LIMITS = Limits(
    connections=2, head_bytes=100, headers=3, head_seconds=10, idle_seconds=60, unread_bytes=1000, unread_seconds=5
)
GET = b"GET / HTTP/1.1\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
NONSENSE = b"nonsense\r\n\r\n"


class Loop(asyncio.SelectorEventLoop):
    """A loop that sleeps for no longer than it takes to say so."""

    def __init__(self) -> None:
        self.passed = 0.0
        super().__init__(Selector(self))

    def time(self) -> float:
        return self.passed


class Selector(selectors.SelectSelector):
    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.passed += timeout or 0.0
        return super().select(0)


class Wire(asyncio.Transport):
    """The client's end of a connection: what it hears, and how the connection ends."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""
        self.ends: list[tuple[str, float]] = []
        self.is_read = True

    @property
    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.heard.split(b"HTTP/1.1 ")[1:]]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.heard += bytes(data)

    def is_closing(self) -> bool:
        return any(how != "half" for how, _ in self.ends)

    def write_eof(self) -> None:
        self._end("half")

    def close(self) -> None:
        self._end("closed")

    def abort(self) -> None:
        self._end("aborted")

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def _end(self, how: str) -> None:
        self.ends.append((how, asyncio.get_running_loop().time()))


class App:
    """Reads a request whole, takes some time, and answers 200 with what it read."""

    def __init__(self, seconds: float = 0, *, begins_at_once: bool = False) -> None:
        self.seconds = seconds
        self.begins_at_once = begins_at_once
        self.headers: list[tuple[bytes, bytes]] = []
        self.gone = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = scope["headers"]
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        if self.begins_at_once:
            await send(start)
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body, more = body + message["body"], message["more_body"]
        await asyncio.sleep(self.seconds)
        if not self.begins_at_once:
            await send(start)
        await send({"type": "http.response.body", "body": body})


def connect(app: App, state: ServerState) -> tuple[HttpToolsProtocol, Wire]:
    config = Config(
        app, lifespan="off", ws="none", log_config=None, proxy_headers=False, timeout_keep_alive=LIMITS.idle_seconds
    )
    protocol = limited(LIMITS)(config, state, {}, asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def tell(protocol: HttpToolsProtocol, *steps: bytes | float) -> None:
    """Let bytes arrive, and seconds pass."""
    for step in steps:
        if isinstance(step, bytes):
            protocol.data_received(step)
            await asyncio.sleep(0.001)
        else:
            await asyncio.sleep(step)


def run(conversation: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = Loop()
    try:
        loop.run_until_complete(conversation())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0, None))
        loop.close()


def told(*steps: bytes | float, app: App | None = None) -> Wire:
    """Connect, let bytes arrive and seconds pass, and return what was heard."""
    wires: list[Wire] = []

    async def conversation() -> None:
        protocol, wire = connect(app or App(), ServerState())
        wires.append(wire)
        await tell(protocol, *steps)

    run(conversation)
    return wires[0]


def ended(wire: Wire) -> list[tuple[str, int]]:
    """Say how a connection ended, and after how many seconds."""
    return [(how, int(at)) for how, at in wire.ends]


def request(line: int, *headers: int) -> bytes:
    """Make a request of a path, and of headers with their names, of so many bytes."""
    lines = [b"%d:%s\r\n" % (number, b"v" * (length - 1)) for number, length in enumerate(headers)]
    return b"GET /" + b"u" * (line - 1) + b" HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(request(100), 200, id="a path as long as may be"),
        pytest.param(request(101), 431, id="a longer one"),
        pytest.param(request(50, 20, 30), 200, id="a path and headers as long as may be together"),
        pytest.param(request(50, 20, 31), 431, id="longer together"),
        pytest.param(request(1, 2, 2, 2), 200, id="as many headers as may be"),
        pytest.param(request(1, 2, 2, 2, 2), 431, id="more"),
    ],
)
def test_a_head_has_so_much_room(sent: bytes, status: int) -> None:
    assert told(sent).statuses == [status]


def test_a_head_that_does_not_end_has_so_much_room() -> None:
    begun = b"GET /" + b"u" * 95

    assert told(begun).heard == b""
    assert told(begun, b"u").statuses == [431]
    assert told(GET, begun).statuses == [200]
    assert told(GET, begun, b"u").statuses == [200, 431]


def test_headers_and_body_reach_the_app() -> None:
    app = App()

    wire = told(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", app=app)

    assert app.headers == [(b"host", b"x"), (b"content-length", b"4")]
    assert wire.heard.endswith(b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((CHUNKED, b"1;" + b"e" * 90, b"\r\nx\r\n0\r\n\r\n"), id="a chunk's line behind a head"),
        pytest.param((CHUNKED + b"1;" + b"e" * 90 + b"\r\nx\r\n0;" + b"e" * 90, b"\r\n\r\n"), id="the next one's"),
        pytest.param((CHUNKED + b"0;" + b"e" * 90, b"\r\nX:" + b"v" * 90, b"\r\n\r\n"), id="trailers behind it"),
        pytest.param(
            (CHUNKED + b"0\r\nX:" + b"v" * 90 + b"\r\n\r\n", b"GET /" + b"u" * 90), id="a head behind trailers"
        ),
        pytest.param((b"POST / HTTP/1.1\r\nContent-Length: 900\r\n\r\n", *[b"x" * 90] * 10), id="a body"),
        pytest.param((request(80), request(80)), id="a head behind a request"),
    ],
)
def test_what_has_ended_takes_no_room_from_what_follows(steps: tuple[bytes, ...]) -> None:
    assert set(told(*steps).statuses) == {200}


@pytest.mark.parametrize(
    ("before", "statuses"),
    [
        pytest.param(b"", [], id="the first"),
        pytest.param(GET, [200], id="one behind a request"),
    ],
)
def test_a_head_has_so_much_time_however_it_trickles(before: bytes, statuses: list[int]) -> None:
    trickling = (before, b"G", 4.0, b"E", 5.9)

    assert told(*trickling).statuses == statuses
    assert told(*trickling, 0.2).statuses == [*statuses, 408]


def test_a_head_that_comes_after_a_rest_has_its_time_from_there() -> None:
    rested = (GET, 30.0, b"G", 9.9)

    assert told(*rested).statuses == [200]
    assert told(*rested, 0.2).statuses == [200, 408]


def test_who_says_nothing_is_sent_away_without_a_word() -> None:
    assert told(9.9).ends == []
    silent = told(10.1)

    assert (silent.heard, ended(silent)) == (b"", [("aborted", 10)])


def test_who_is_silent_behind_an_answer_is_sent_away_when_connections_may_not_idle_any_longer() -> None:
    assert told(GET, 59.9).ends == []
    assert ended(told(GET, 60.1)) == [("closed", 60)]


def test_a_request_may_be_worked_on_for_longer_than_its_head_may_take() -> None:
    wire = told(b"G", 9.0, GET[1:], 30.0, app=App(20))

    assert (wire.statuses, wire.ends) == ([200], [])


def test_a_refusal_is_an_answer_that_ends_the_connection() -> None:
    wire = told(NONSENSE)

    head, _, body = wire.heard.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    assert line == b"HTTP/1.1 400 Bad Request"
    assert b"connection: close" in headers
    assert b"content-length: %d" % len(body) in headers
    assert body == b'{"success":false,"code":"invalid_request","message":"The request is not HTTP."}'
    assert ended(wire) == [("half", 0)]


def test_what_comes_behind_a_refusal_is_dropped_for_some_bytes() -> None:
    steps = (NONSENSE, *[b"x" * 100] * 9, b"x" * 100)

    assert ended(told(*steps)) == [("half", 0)]
    assert ended(told(*steps, b"x")) == [("half", 0), ("aborted", 0)]


def test_what_comes_behind_a_refusal_is_dropped_for_some_seconds_and_answered_no_more() -> None:
    assert ended(told(NONSENSE, b"x", GET, 4.9)) == [("half", 0)]
    wire = told(NONSENSE, b"x", GET, 5.1)

    assert (wire.statuses, ended(wire)) == ([400], [("half", 0), ("aborted", 5)])


def test_nonsense_behind_a_whole_request_ends_the_connection_with_that_ones_answer() -> None:
    wire = told(GET + NONSENSE, 30.0, app=App(20))

    assert wire.statuses == [200]
    assert b"connection: close" in wire.heard
    assert ended(wire) == [("closed", 20)]


def test_a_body_that_is_none_is_refused_and_the_app_hears_that_nobody_is_there() -> None:
    app = App()
    wire = told(CHUNKED + b"1\r\nx\r\n", NONSENSE, app=app)

    assert (wire.statuses, wire.is_read, app.gone) == ([400], True, 1)
    assert ended(wire) == [("half", 0)]


def test_a_body_that_is_none_gets_no_second_answer_where_one_has_begun() -> None:
    app = App(begins_at_once=True)
    wire = told(CHUNKED + b"1\r\nx\r\n", NONSENSE, app=app)

    assert (wire.statuses, app.gone) == ([200], 1)
    assert ended(wire) == [("half", 0)]


def test_a_body_that_is_none_behind_a_request_leaves_that_one_its_answer() -> None:
    wire = told(GET + CHUNKED + b"1\r\nx\r\n", NONSENSE, 4.0, app=App(3))

    assert (wire.statuses, wire.is_read, wire.ends) == ([200], True, [])


def test_more_connections_than_may_be_open_are_told_to_come_again() -> None:
    wires = []

    async def conversation() -> None:
        state = ServerState()
        protocols, opened = zip(*(connect(App(), state) for _ in range(3)), strict=True)
        protocols[0].connection_lost(ConnectionResetError())
        protocols[2].connection_lost(ConnectionResetError())
        wires.extend([*opened, connect(App(), state)[1]])

    run(conversation)

    assert [wire.statuses for wire in wires] == [[], [], [429], []]
    assert [ended(wire) for wire in wires] == [[], [], [("closed", 0)], []]


@pytest.mark.parametrize("is_paused", [False, True], ids=["while nothing comes", "while it does not read"])
def test_a_connection_that_is_lost_is_not_ended_once_more(is_paused: bool) -> None:
    wires = []

    async def conversation() -> None:
        protocol, wire = connect(App(), ServerState())
        wires.append(wire)
        if is_paused:
            protocol.pause_writing()
        protocol.connection_lost(ConnectionResetError())
        await tell(protocol, 30.0)

    run(conversation)

    assert wires[0].ends == []


def paused(*before: bytes | float, then: tuple[bytes | float, ...] = ()) -> Wire:
    """Be told while the client does not read; it reads on where something comes then."""
    wires = []

    async def conversation() -> None:
        protocol, wire = connect(App(), ServerState())
        wires.append(wire)
        await tell(protocol, GET)
        protocol.pause_writing()
        await tell(protocol, *before)
        if then:
            protocol.resume_writing()
            await tell(protocol, *then)

    run(conversation)
    return wires[0]


@pytest.mark.parametrize(
    "told_meanwhile",
    [
        pytest.param((), id="saying nothing"),
        pytest.param((GET,), id="asking on"),
        pytest.param((GET, b"G", 2.0, b"E"), id="asking on in pieces"),
    ],
)
def test_who_does_not_read_answers_is_sent_away(told_meanwhile: tuple[bytes | float, ...]) -> None:
    wire = paused(*told_meanwhile, 6.0)

    assert (wire.statuses, ended(wire)) == ([200], [("aborted", 5)])


def test_who_reads_on_in_time_hears_all() -> None:
    wire = paused(GET, 4.9, then=(9.0,))

    assert (wire.statuses, wire.ends) == ([200, 200], [])


@pytest.mark.parametrize(
    ("before", "statuses", "ends"),
    [
        pytest.param(b"G", [200, 408], [("half", 10)], id="a head that does not end"),
        pytest.param(NONSENSE, [200, 400], [("half", 0), ("aborted", 5)], id="a refusal"),
    ],
)
def test_who_reads_on_has_no_more_time_for_what_else_they_do(
    before: bytes, statuses: list[int], ends: list[tuple[str, int]]
) -> None:
    wire = paused(before, 1.0, then=(12.0,))

    assert (wire.statuses, ended(wire)) == (statuses, ends)
