"""Somebody who takes alerts over HTTP: a real server on a local port, whose answers a test chooses."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class AlertServer:
    url: str = ""
    answers: dict[str, list[int]] = field(default_factory=dict)
    """By path: the next statuses, then 200 for ever."""
    bodies: list[tuple[str, Any]] = field(default_factory=list)
    """What was posted, by path."""
    calls: list[str] = field(default_factory=list)
    """What was only called: paths."""
    over: threading.Event = field(default_factory=threading.Event)
    """Ends the waiting of a path that answers never, or byte by byte."""

    def texts(self, path: str = "/slack") -> list[str]:
        return [body["text"] for at, body in self.bodies if at == path]

    def incidents(self, path: str = "/json") -> list[tuple[str, str]]:
        posted = [body["incidents"] for at, body in self.bodies if at == path]
        return [(one["state"], one["kind"]) for incidents in posted for one in incidents]


@contextmanager
def alert_server() -> Iterator[AlertServer]:
    state = AlertServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.calls.append(self.path)
            self.answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.bodies.append((self.path, json.loads(body)))
            self.answer()

        def answer(self) -> None:
            if self.path == "/never":
                state.over.wait(60)
            if self.path == "/drips":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not state.over.wait(0.02):
                    self.wfile.write(b"x")
                self.wfile.write(b"\r\nContent-Length: 0\r\n\r\n")
                return
            status = next(iter(state.answers.get(self.path, [])), 200)
            del state.answers.get(self.path, [])[:1]
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            # Who does not wait for an answer is no news here.
            pass

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
