"""Who takes the emails and counts them: a Resend in a process of its own, which outlives those that call it."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from resend_emulator import Emulator
from servers import free_port, listens, running

KEY = "re_test"
SERVER = Path(__file__).parents[1] / "providers" / "resend_server.py"

STORM = {
    "drop_after": 0.05,
    "error_after": 0.05,
    "cut_after": 0.05,
    "busy_after": 0.02,
    "error_before": 0.03,
    "unread": 0.03,
    "throttle": 0.05,
    "late": 0.05,
    "trickle": 0.02,
}
"""How often what goes wrong, where much does."""


@dataclass(frozen=True)
class Arrived:
    """An email that was accepted: its id there, its recipient, and the send that it says it is."""

    id: str
    to: str
    send: str


class Taker(Protocol):
    """Takes emails, and says what it took."""

    @property
    def variables(self) -> dict[str, str]:
        """The variables by which it is found."""
        ...

    def emails(self) -> list[Arrived]: ...

    def posts(self) -> int:
        """How many batches it was asked to take, whatever it answered."""
        ...


def found_at(url: str) -> dict[str, str]:
    return {"RESEND_API_KEY": KEY, "RESEND_API_URL": url}


@dataclass
class LocalResend:
    """The one of these tests, with faults."""

    url: str
    random: Random

    @property
    def variables(self) -> dict[str, str]:
        return found_at(self.url)

    def emails(self) -> list[Arrived]:
        return [Arrived(email["id"], email["to"], email["send"]) for email in self._ask("emails")]

    def posts(self) -> int:
        return int(self._ask("requests"))

    def faults(self, **rates: float) -> None:
        """Do so much wrong from now on, and do it fast."""
        self._control(rates, per_second=1000)

    def is_slow(self, per_second: int = 4) -> None:
        """Allow few calls a second, so that there is time to kill who sends; without faults."""
        self._control({}, per_second)

    def _control(self, rates: dict[str, float], per_second: int) -> None:
        self._ask("faults", {"seed": self.random.randrange(10**6), "rates": rates, "per_second": per_second})

    def _ask(self, what: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/__control/{what}", data, timeout=30) as answer:
            return json.load(answer)


@dataclass
class EmulatedResend:
    """The one that others made: an independent judge, without faults of its own."""

    emulator: Emulator
    looks: int = 0

    @property
    def variables(self) -> dict[str, str]:
        return found_at(self.emulator.url)

    def emails(self) -> list[Arrived]:
        return [
            Arrived(email["id"], *email["to"], *(tag["value"] for tag in email["tags"] if tag["name"] == "send"))
            for email in self.emulator.emails()
        ]

    def posts(self) -> int:
        self.looks += 1
        return self.emulator.calls(KEY) - self.looks


@contextmanager
def local_resend(folder: Path, seed: int = 0) -> Iterator[LocalResend]:
    """Run the local Resend."""
    port = free_port()
    with running([sys.executable, str(SERVER), "--port", str(port)], folder, lambda: listens(port)):
        resend = LocalResend(f"http://127.0.0.1:{port}", Random(seed))
        resend.faults()
        yield resend
