"""Clients that keep their connections and send one request after the other, as fast as they are answered."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import uvloop


class Client(asyncio.Protocol):
    """One connection; it knows just as much of HTTP as the answers need."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self.seconds: list[float] = []
        self.answers: Counter[str] = Counter()
        self.over = asyncio.get_running_loop().create_future()
        self._requests, self._until = requests, until
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one without being of the class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = next(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]):
            return
        now = time.perf_counter()
        self.seconds.append(now - self._sent)
        self.answers[head[9:12].decode()] += 1
        self._received = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.over.set_result(None)


def run(address: str, requests: Iterator[bytes], clients: int, seconds: float) -> None:
    """Let clients send requests, which they share, for some time; print what they saw, as JSON."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    print(json.dumps(asyncio.run(_measure(address, requests, clients, seconds))))


async def _measure(address: str, requests: Iterator[bytes], clients: int, seconds: float) -> dict[str, object]:
    host, _, port = address.partition(":")
    started = time.perf_counter()
    made = []
    for _ in range(clients):
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: Client(requests, started + seconds), host, int(port)
        )
        made.append(client)
    await asyncio.gather(*(client.over for client in made))
    took = time.perf_counter() - started
    waited = sorted(itertools.chain.from_iterable(client.seconds for client in made))
    return {
        "requests": len(waited), "seconds": took, "p50": waited[len(waited) // 2],
        "p99": waited[len(waited) * 99 // 100], "max": waited[-1],
        "answers": sum((client.answers for client in made), Counter()),
    }  # fmt: skip
