"""Resend, which posts what became of emails, signed as it signs (the scheme of Svix).

python -m benchmarks.webhook_clients HOST:PORT SECRET CLIENTS SECONDS      prints what it saw, as JSON
"""

import itertools
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from benchmarks.clients import run

sys.path.append(str(Path(__file__).parents[1] / "tests"))

# How Resend signs is known to the tests.
import resend_events

OF_TEN = ("email.sent", "email.delivered", "email.opened") * 3 + ("email.bounced",)
"""What is posted, in turns."""


def posts(address: str, secret: str) -> Iterator[bytes]:
    """Yield requests, each about an event and an email of its own."""
    of_this_run = uuid4().hex[:12]
    for number, type_ in enumerate(itertools.cycle(OF_TEN)):
        told = resend_events.event(
            type_,
            datetime.now(timezone.utc).replace(tzinfo=None),
            to=f"user-{number}@example.com",
            email_id=f"{of_this_run}-{number}",
            tags={"send": f"{number:032x}", "origin": f"{of_this_run}-{number // 100:032x}", "loop": "retention"},
        )
        body, headers = resend_events.posted(told, f"msg_{of_this_run}{number}", secret=secret)
        head = {"Host": address, "Content-Type": "application/json", "Content-Length": str(len(body))} | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        yield f"POST /webhooks/resend HTTP/1.1\r\n{lines}\r\n".encode() + body


if __name__ == "__main__":
    address, secret, clients, seconds = sys.argv[1:]
    run(address, posts(address, secret), int(clients), float(seconds))
