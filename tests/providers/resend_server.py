"""A local HTTP server that answers as api.resend.com does for batches, and as the test scripts it."""

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Scripted:
    """One answer in place of the usual one. Without a status the connection is closed, or kept silent."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    silent: bool = False


def refusal(status: int, name: str, message: str = "No.", **headers: str) -> Scripted:
    """Answer as the API refuses."""
    body = json.dumps({"statusCode": status, "name": name, "message": message}).encode()
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, body, {**JSON, **extra})


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: Any
    client: tuple[str, int]


@dataclass
class ResendServer:
    url: str
    script: list[Scripted] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    quiet: threading.Event = field(default_factory=threading.Event)
    _answered: dict[str, tuple[Any, bytes]] = field(default_factory=dict)

    def usual(self, key: str, emails: Any) -> Scripted:
        """Accept a batch once per key; refuse another one under the same key."""
        if key in self._answered:
            before, answer = self._answered[key]
            return Scripted(200, answer) if before == emails else refusal(409, "invalid_idempotent_request")
        answer = json.dumps({"data": [{"id": str(uuid.uuid4())} for _ in emails]}).encode()
        self._answered[key] = (emails, answer)
        self.accepted.extend(emails)
        return Scripted(200, answer)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: ResendServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        state = self.server.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state.requests.append(Request(self.path, self.headers, body, self.client_address))  # type: ignore[arg-type]  # Message is a mapping of headers
        answer = state.script.pop(0) if state.script else state.usual(self.headers["Idempotency-Key"], body)
        if answer.silent:
            state.quiet.wait(10)
        if answer.status is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        del format, args


@contextmanager
def resend_server() -> Iterator[ResendServer]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = ResendServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.state
    finally:
        server.state.quiet.set()
        server.shutdown()
        thread.join()
        server.server_close()
