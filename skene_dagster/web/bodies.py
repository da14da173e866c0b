"""Reading a request's body: limited in size (decompressed, too), in time, and in what all bodies take together."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from starlette.requests import Request

from skene_dagster.web.limits import Limits
from skene_dagster.web.refusals import Refusal, busy, slow_body, too_large, wrong

_GZIP = 16 + zlib.MAX_WBITS


class Budget:
    """What all requests together may take."""

    def __init__(self, limits: Limits) -> None:
        self._requests = limits.requests
        self._bytes = limits.body_bytes

    @contextmanager
    def one(self) -> Iterator["Share"]:
        """Accept a request; what it holds is released when it ends.

        Raises:
            Refusal: there are too many.
        """
        if not self._requests:
            raise busy()
        self._requests -= 1
        share = Share(self)
        try:
            yield share
        finally:
            self._requests += 1
            self._bytes += share.held

    def take(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            Refusal: all bodies together are too large.
        """
        if size > self._bytes:
            raise busy()
        self._bytes -= size


class Share:
    """What one request holds."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def hold(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            Refusal: all bodies together are too large.
        """
        self._budget.take(size)
        self.held += size


async def read(request: Request, share: Share, limit: int, seconds: float) -> bytes:
    """Read the body, inflated.

    Raises:
        Refusal: it is too large, too slow, or not what its headers say.
        ClientDisconnect: the client is gone.
    """
    inflater = _inflater(request.headers.get("content-encoding", "identity"))
    if int(request.headers.get("content-length", "0")) > limit:
        raise _larger_than(limit)
    parts = []
    size = 0
    try:
        with anyio.fail_after(seconds):
            async for chunk in request.stream():
                part = chunk if inflater is None else _inflated(inflater, chunk, limit + 1 - size)
                share.hold(len(part))
                size += len(part)
                if size > limit:
                    raise _larger_than(limit)
                parts.append(part)
    except TimeoutError:
        raise slow_body(seconds) from None
    if inflater is not None and size and (not inflater.eof or inflater.unused_data):
        raise wrong("The body is not one whole gzip stream.")
    return b"".join(parts)


def _larger_than(limit: int) -> Refusal:
    return too_large(f"The body is larger than {limit} bytes.")


def _inflater(encoding: str) -> "zlib._Decompress | None":
    match encoding.strip().lower():
        case "identity" | "":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(_GZIP)
        case _:
            sentence = "The Content-Encoding is not supported. Send gzip, or none."
            raise Refusal(415, "unsupported_encoding", sentence, {"accept-encoding": "gzip"})


def _inflated(inflater: "zlib._Decompress", chunk: bytes, most: int) -> bytes:
    try:
        return inflater.decompress(chunk, most)
    except zlib.error:
        raise wrong("The body is not gzip, as its Content-Encoding says.") from None
