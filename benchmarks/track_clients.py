"""Clients that keep their connections and send one request after the other, as fast as they are answered.

python -m benchmarks.track_clients HOST:PORT KEY CLIENTS EVENTS SECONDS      prints what they saw, as JSON
"""

import asyncio
import base64
import itertools
import json
import sys
import time
from collections import Counter
from typing import cast
from uuid import uuid4

import uvloop

TIME = "2026-11-25T12:00:00.000Z"
PROPERTIES = {"plan": "pro", "source": "dashboard", "seconds": 12, "tags": ["a", "b"]}


class Client(asyncio.Protocol):
    """One connection; it knows just as much of HTTP as the answers need."""

    def __init__(self, requests: "itertools.count[int]", head: bytes, events: int, until: float) -> None:
        self.seconds: list[float] = []
        self.answers: Counter[str] = Counter()
        self.over = asyncio.get_running_loop().create_future()
        self._requests, self._head, self._events, self._until = requests, head, events, until
        self._run = uuid4().hex[:12]
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one without being of the class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        messages = [
            {
                "type": "track", "userId": number % 100_000, "event": "Report Opened", "properties": PROPERTIES,
                "timestamp": TIME, "messageId": f"{self._run}-{number}", "context": {"library": {"name": "benchmark"}},
            }
            for number in itertools.islice(self._requests, self._events)
        ]  # fmt: skip
        body = json.dumps(messages[0] if self._events == 1 else {"batch": messages}).encode()
        self._sent = time.perf_counter()
        self._transport.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)

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


async def measure(address: str, key: str, clients: int, events: int, seconds: float) -> dict[str, object]:
    host, _, port = address.partition(":")
    shown = base64.b64encode(f"{key}:".encode()).decode()
    path = "track" if events == 1 else "batch"
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {shown}\r\nContent-Length: ".encode()
    requests = itertools.count()
    started = time.perf_counter()
    made = []
    for _ in range(clients):
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: Client(requests, head, events, started + seconds), host, int(port)
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


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    given = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(given[0], given[1], int(given[2]), int(given[3]), float(given[4])))))
