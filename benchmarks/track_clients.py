"""Clients of a product that tracks, as Segment's libraries post.

python -m benchmarks.track_clients HOST:PORT KEY CLIENTS EVENTS SECONDS      prints what they saw, as JSON
"""

import base64
import itertools
import json
import sys
from collections.abc import Iterator
from uuid import uuid4

from benchmarks.clients import run

TIME = "2026-11-25T12:00:00.000Z"
PROPERTIES = {"plan": "pro", "source": "dashboard", "seconds": 12, "tags": ["a", "b"]}


def posts(address: str, key: str, events: int) -> Iterator[bytes]:
    """Yield requests of so many events each, no two of which are the same."""
    shown = base64.b64encode(f"{key}:".encode()).decode()
    path = "track" if events == 1 else "batch"
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {shown}\r\nContent-Length: ".encode()
    run_id = uuid4().hex[:12]
    numbers = itertools.count()
    while True:
        messages = [
            {
                "type": "track", "userId": number % 100_000, "event": "Report Opened", "properties": PROPERTIES,
                "timestamp": TIME, "messageId": f"{run_id}-{number}", "context": {"library": {"name": "benchmark"}},
            }
            for number in itertools.islice(numbers, events)
        ]  # fmt: skip
        body = json.dumps(messages[0] if events == 1 else {"batch": messages}).encode()
        yield head + str(len(body)).encode() + b"\r\n\r\n" + body


if __name__ == "__main__":
    address, key, clients, events, seconds = sys.argv[1:]
    run(address, posts(address, key, int(events)), int(clients), float(seconds))
