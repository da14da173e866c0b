"""`resend_api` on a local port: for tests in their own process, and as a process of its own that clients outlive.

    python tests/providers/resend_server.py --port 4010

Beside the API it answers GET /__control/emails (what was accepted), GET /__control/requests (how many POSTs there
were) and POST /__control/faults ({"seed": 1, "rates": {"drop_after": 0.1}, "per_second": 5}).
"""

import argparse
import json
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from resend_api import JSON, Api, Request, Scripted, refusal

__all__ = ["JSON", "ResendServer", "Scripted", "refusal", "resend_server"]


@dataclass
class ResendServer(Api):
    url: str = ""
    hurry: threading.Event = field(default_factory=threading.Event)
    """Ends the waiting of late and slow answers."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: ResendServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that was killed is no news here.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        state = self.server.state
        match self.path:
            case "/__control/emails":
                rows = [
                    {"id": email["id"], "to": email["to"][0], "key": email["key"], "send": _tag(email)}
                    for email in state.emails
                ]
                self._give(Scripted(200, json.dumps(rows).encode()))
            case "/__control/requests":
                posts = len(state.posts)
                self._give(Scripted(200, json.dumps(posts).encode()))
            case _:
                self._api("GET")

    def do_POST(self) -> None:
        if self.path != "/__control/faults":
            self._api("POST")
            return
        state, asked = self.server.state, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state.rates, state.draw = asked.get("rates", {}), random.Random(asked.get("seed", 0))
        state.per_second = asked.get("per_second")
        self._give(Scripted(200, b"{}"))

    def do_DELETE(self) -> None:
        self._api("DELETE")

    def _api(self, method: str) -> None:
        state = self.server.state
        fault = None if method == "GET" else state.fault()
        length = int(self.headers.get("Content-Length") or 0)
        is_unread = fault is not None and fault.wire == "unread"
        raw = self.rfile.read(length // 2 if is_unread else length)
        request = Request(method, self.path, self.headers, raw, self.client_address)  # type: ignore[arg-type]  # Message is a mapping of headers
        if is_unread:
            state.requests.append(request)
            self.close_connection = True
            return
        with state.at_work(request, fault) as answer:
            state.hurry.wait(answer.late)
        self._give(answer)

    def _give(self, answer: Scripted) -> None:
        if answer.status is None:
            self.close_connection = True
            return
        assert answer.status != "usual"
        self.send_response(answer.status)
        if answer.wire == "cut early":
            self.flush_headers()
            self.close_connection = True
            return
        length = 10**9 if answer.wire == "endless" else len(answer.body)
        headers = {**self.server.state.limits(), **answer.headers, "Content-Length": str(length)}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        match answer.wire:
            case "trickled":
                size = max(1, len(answer.body) // 20)
                for start in range(0, len(answer.body), size):
                    self._slowly(answer.body[start : start + size], 0.005)
            case "endless":
                while not self.server.state.hurry.is_set():
                    self._slowly(b" ", 0.05)
                self.close_connection = True
            case "stalled":
                self._slowly(answer.body[: len(answer.body) // 2], 10)
                self.close_connection = True
            case "cut":
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.close_connection = True
            case _:
                self.wfile.write(answer.body)

    def _slowly(self, part: bytes, seconds: float) -> None:
        self.wfile.write(part)
        self.wfile.flush()
        self.server.state.hurry.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        del format, args


def _tag(email: dict[str, Any]) -> str | None:
    return next((tag["value"] for tag in email.get("tags", []) if tag["name"] == "send"), None)


@contextmanager
def resend_server(port: int = 0) -> Iterator[ResendServer]:
    server = _Server(("127.0.0.1", port), _Handler)
    server.state = ResendServer(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.state
    finally:
        server.state.hurry.set()
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    with resend_server(arguments.parse_args().port):
        threading.Event().wait()
