"""Connections with limits: a client that is slow, or sends endless headers, gets an error and is disconnected.

uvicorn, 2026-11: it waits for a request's head for ever and lets it grow without end, because the parser keeps an
unfinished line; only the time between two requests is limited. So this is uvicorn's own connection, with limits.
"""

import asyncio
from http import HTTPStatus
from typing import NoReturn

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from skene_dagster.web.limits import Limits
from skene_dagster.web.refusals import Refusal, busy, long_head, slow_head, wrong


def limited(limits: Limits) -> type[HttpToolsProtocol]:  # noqa: C901 - a class: its methods count as one
    """Make the class of a server's connections."""

    class Limited(HttpToolsProtocol):
        _refusal: Refusal | None = None
        """Why the parser was stopped."""
        _refused = False
        """The rest of what the client sends is read and dropped."""
        _unfinished = 0
        """Bytes received since the parser last finished anything but a header."""
        _timer: asyncio.TimerHandle | None = None
        """For a head to end, or, after a refusal, for the client to go."""
        _unread: asyncio.TimerHandle | None = None
        """For the client to read what it is sent."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait(limits.head_seconds)
            if len(self.connections) > limits.connections:
                transport.write(_as_bytes(busy()))
                transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            if self._unread is not None:
                self._unread.cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            # The parser is never further past a limit than by one of these.
            for start in range(0, len(data), limits.head_bytes):
                self._parse(data[start : start + limits.head_bytes])

        def _parse(self, data: bytes) -> None:
            self._unfinished += len(data)
            if self._refused:
                if self._unfinished > limits.unread_bytes:
                    self.transport.abort()
                return
            super().data_received(data)
            if self._unfinished > limits.head_bytes:
                self._refuse(long_head())
            elif self._timer is None and self._is_idle():
                self._wait(limits.head_seconds)

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            if len(self.headers) > limits.headers:
                self._stop_parsing(long_head())

        def on_headers_complete(self) -> None:
            if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > limits.head_bytes:
                self._stop_parsing(long_head())
            super().on_headers_complete()
            self._at_an_end()
            self._stop_waiting()

        def on_chunk_header(self) -> None:
            self._at_an_end()

        def on_body(self, body: bytes) -> None:
            super().on_body(body)
            self._at_an_end()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._at_an_end()

        def pause_writing(self) -> None:
            """Give a client that does not read its answers some time."""
            super().pause_writing()
            self._unread = self.loop.call_later(limits.unread_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._unread is not None:
                self._unread.cancel()

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - its words are uvicorn's
            """Answer a request that the parser does not understand, or where it was stopped."""
            self._refuse(self._refusal or wrong("The request is not HTTP."))

        def _at_an_end(self) -> None:
            self._unfinished = 0

        def _is_idle(self) -> bool:
            """Whether no request is being worked on."""
            return self.cycle is None or self.cycle.response_complete

        def _stop_parsing(self, refusal: Refusal) -> NoReturn:
            """Let the parser fail, whereupon uvicorn calls `send_400_response`."""
            self._refusal = refusal
            raise ValueError

        def _refuse(self, refusal: Refusal) -> None:
            """Answer, and keep reading for a while: closing at once would reset the connection, and lose the answer."""
            self._refused, self._unfinished = True, 0
            if not self._is_idle():
                if not self.cycle.more_body:
                    # It is complete, and will be answered; the refused one came after it.
                    self.cycle.keep_alive = False
                    return
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if not self.pipeline:
                if self._is_idle() or not self.cycle.response_started:
                    self.transport.write(_as_bytes(refusal))
                self.transport.write_eof()
            # Otherwise the answer to the previous request is on its way, and is the last.
            self.flow.resume_reading()
            self._wait(limits.unread_seconds)

        def _wait(self, seconds: float) -> None:
            self._stop_waiting()
            self._timer = self.loop.call_later(seconds, self._too_late)

        def _stop_waiting(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _too_late(self) -> None:
            if self._unfinished and not self._refused:
                self._refuse(slow_head(limits.head_seconds))
            else:
                self.transport.abort()

    return Limited


def _as_bytes(refusal: Refusal) -> bytes:
    answer = refusal.answer()
    status = HTTPStatus(answer.status_code)
    head = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), *(b"%s: %s" % pair for pair in answer.raw_headers)]
    return b"\r\n".join([*head, b"connection: close", b"", bytes(answer.body)])
