"""The rest of a body that an answer did not wait for is dropped, so far and so long; then the connection ends."""

import asyncio
import signal
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from skene_dagster.web import serving
from skene_dagster.web.limits import Limits
from skene_dagster.web.unread import Unread

CHUNKED = (b"transfer-encoding", b"chunked")
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
BODY: Message = {"type": "http.response.body", "body": b"answer"}


class Conversation:
    """A request whose body comes in parts, and an app that reads some of them before it answers."""

    def __init__(self, parts: Sequence[bytes], reads: int, *, ends: bool = True) -> None:
        self.parts = list(parts)
        self.reads = reads
        self.ends = ends
        self.sent: list[Message] = []

    async def app(self, _: Scope, receive: Receive, send: Send) -> None:
        for _number in range(self.reads):
            await receive()
        await send(dict(START))
        await send(dict(BODY))

    async def receive(self) -> Message:
        if not self.parts:
            await asyncio.Event().wait()
        part = self.parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self.parts) or not self.ends}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def told(self, *headers: tuple[bytes, bytes], limits: Limits | None = None, kind: str = "http") -> None:
        app = Unread(self.app, limits or Limits(unread_seconds=60))
        asyncio.run(app({"type": kind, "headers": headers}, self.receive, self.send))


@pytest.mark.parametrize(
    ("headers", "parts", "reads", "kind"),
    [
        pytest.param((), [], 0, "http", id="no body"),
        pytest.param(((b"content-length", b"0"),), [], 0, "http", id="a body of nothing"),
        pytest.param(((b"content-length", b"2"),), [b"ab"], 1, "http", id="a body that was read"),
        pytest.param((CHUNKED,), [b"a", b"b"], 2, "http", id="a body in parts that were read"),
        pytest.param((CHUNKED,), [b"a", b"b"], 0, "other", id="something else than a request"),
    ],
)
def test_where_nothing_is_unread_the_connection_goes_on(
    headers: tuple[tuple[bytes, bytes], ...], parts: list[bytes], reads: int, kind: str
) -> None:
    conversation = Conversation(parts, reads)

    conversation.told(*headers, kind=kind)

    assert conversation.sent == [START, BODY]


CLOSING: Message = {**START, "headers": [(b"x", b"y"), (b"connection", b"close")]}
HELD: Message = {**BODY, "more_body": True}
END: Message = {"type": "http.response.body"}


@pytest.mark.parametrize(
    ("headers", "reads"),
    [
        pytest.param(((b"content-length", b"3"),), 0, id="nothing was read of a whole one"),
        pytest.param((CHUNKED,), 0, id="nothing was read of one in parts"),
        pytest.param((CHUNKED,), 1, id="a part of it was read"),
    ],
)
def test_the_rest_is_dropped_after_the_answer_and_the_connection_ends(
    headers: tuple[tuple[bytes, bytes], ...], reads: int
) -> None:
    conversation = Conversation([b"a", b"b", b"c"], reads)

    conversation.told(*headers)

    assert conversation.sent == [CLOSING, HELD, END]
    assert conversation.parts == []


@pytest.mark.parametrize(("most", "left"), [(19, 8), (20, 7), (29, 7), (30, 6)])
def test_so_many_bytes_are_dropped_and_what_comes_with_the_next(most: int, left: int) -> None:
    conversation = Conversation([b"0123456789"] * 10, 0, ends=False)

    conversation.told(CHUNKED, limits=Limits(unread_bytes=most, unread_seconds=60))

    assert len(conversation.parts) == left
    assert conversation.sent == [CLOSING, HELD, END]


def test_what_does_not_come_is_waited_for_some_time() -> None:
    conversation = Conversation([b"a"], 0, ends=False)

    conversation.told(CHUNKED, limits=Limits(unread_seconds=0.01))

    assert conversation.sent == [CLOSING, HELD, END]


INFINITY = -1


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "asked"),
    [
        pytest.param(INFINITY, INFINITY, 100, None, id="as many files as it likes"),
        pytest.param(164, 164, 100, None, id="just enough"),
        pytest.param(163, INFINITY, 100, (164, INFINITY), id="it may have more"),
        pytest.param(10, 164, 100, (164, 164), id="it may have just enough"),
        pytest.param(10, 163, 99, (163, 163), id="it may have one fewer"),
        pytest.param(10, 500, 100, (164, 500), id="it may have more than enough"),
    ],
)
def test_connections_leave_room_for_64_other_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, asked: tuple[int, int] | None
) -> None:
    set_to = []
    monkeypatch.setattr(
        serving,
        "resource",
        SimpleNamespace(
            RLIMIT_NOFILE=7,
            RLIM_INFINITY=INFINITY,
            getrlimit=lambda _: (soft, hard),
            setrlimit=lambda _, limit: set_to.append(limit),
        ),
    )

    assert serving._with_room(Limits(connections=100)).connections == connections
    assert set_to == ([] if asked is None else [asked])


def test_where_files_are_not_counted_all_connections_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "resource", None)

    assert serving._with_room(Limits(connections=10**6)).connections == 10**6


def test_a_signal_ends_the_process_well_and_means_afterwards_what_it_meant() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]

    with serving._signals_end_it():
        for number in numbers:
            with pytest.raises(SystemExit) as ended:
                signal.raise_signal(number)
            assert ended.value.code == 0

    assert [signal.getsignal(number) for number in numbers] == before


def test_a_port_is_listened_on() -> None:
    with serving.listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()

    assert host == "127.0.0.1"
    assert port > 0
