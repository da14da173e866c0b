"""A client that is still sending gets its answer, too: the rest of its body is read and dropped.

A connection that is closed while bytes are unread is reset, and the answer is lost with it (RFC 9112, 9.6).
"""

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skene_dagster.web.limits import Limits


class Unread:
    """Wraps the app: the rest of a body is dropped after the answer, and then the connection ends."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

        async def received() -> Message:
            nonlocal unread
            message = await receive()
            unread = message.get("more_body", False)
            return message

        async def drop() -> None:
            dropped = 0
            with anyio.move_on_after(self._limits.unread_seconds):
                while unread and dropped <= self._limits.unread_bytes:
                    dropped += len((await received()).get("body", b""))

        async def answered(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            elif unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await drop()
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, received, answered)
