"""`skene-dagster serve` in a process of its own, forked (see forked.py), and clients that speak HTTP to it."""

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import limited
from event_rows import ids
from forked import Piped
from sqlalchemy import Engine

HERE = Path(__file__).parent
PATIENCE = 60.0
"""Seconds after which something that should happen did not."""

KEY = "a-write-key"


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Sends requests, each over a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None, *, auth: str | None = f"{KEY}:"
    ) -> Answer:
        """Post JSON, or bytes as they are, with the write key unless told otherwise."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        shown = {} if auth is None else {"Authorization": "Basic " + _base64(auth)}
        return self._ask("POST", path, data, {"Content-Type": "application/json"} | shown | dict(headers or {}))

    def track(self, **message: object) -> Answer:
        return self.post("/v1/track", {"userId": 7, "event": "used"} | message)

    def batch(self, *messages: object, **more: object) -> Answer:
        return self.post("/v1/batch", {"batch": messages} | more)

    def _ask(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, data, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read() or b"{}"), dict(answer.getheaders()))
        finally:
            connection.close()


class Served(Client):
    """The running process."""

    def __init__(self, process: "subprocess.Popen[str] | Piped") -> None:
        self.process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)", line)
        if found is None:
            raise RuntimeError(line + "".join(process.communicate(timeout=PATIENCE)))
        super().__init__(int(found[1]))

    def stop(self) -> tuple[int, str]:
        """End it as a supervisor does; return how it ended, and its log."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended; return how, and its log."""
        _, logged = self.process.communicate(timeout=PATIENCE)
        status = self.process.returncode
        assert status is not None
        return status, logged


def message_ids(engine: Engine) -> list[str]:
    """Read which messages are stored, one for each event, in the order of their ids."""
    return [event_id.rpartition(".")[0] for event_id in ids(engine)]


def until(happened: Callable[[], bool]) -> None:
    """Wait until it has happened; the processor is left to whom it is expected of."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", "from skene_dagster.cli import main; main()", "serve", *arguments]


def environment(url: str, root: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKENE_")}
    return kept | {"SKENE_DATABASE_URL": url, "SKENE_PROJECT": str(root), "SKENE_WRITE_KEY": KEY} | more


@contextmanager
def serving(
    url: str, root: Path, secrets: Mapping[str, str] | None = None, /, *, files: float | None = None, **limits: float
) -> Iterator[Served]:
    """Start it on a free port; with limits of its own where they are given, and so few open files."""
    environ = environment(url, root, **(secrets or {}))
    given = (limited.serve_limited, limits, files) if limits else (limited.serve, "--port", "0")
    with _running(Piped(*given, env=environ)) as served:
        yield served


@contextmanager
def serving_everybody(url: str, root: Path, *arguments: str, **environ: str) -> Iterator[Served]:
    """Start it on a free port with `--public`, and without a write key."""
    public = environment(url, root, SKENE_WRITE_KEY="") | environ
    with _running(Piped(limited.serve, "--public", "--port", "0", *arguments, env=public)) as served:
        yield served


@contextmanager
def _running(process: Piped) -> Iterator[Served]:
    try:
        yield Served(process)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
