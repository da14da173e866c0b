"""Segment's official Python client sends to us, through a way that loses answers: `segment_client.py PORT KEY`.

Every second request is passed on, and its answer is not: the client cannot know that it was taken, and sends it again.
Prints what the client was told to send, how many messages were passed on, and what the client reports as failed.
"""

import gzip
import http.client
import json
import sys
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from segment.analytics.client import Client


class Lossy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = port
        self.requests = 0
        self.passed_on = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Lossy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        connection.request("POST", self.path, body, dict(self.headers))
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.passed_on += len(json.loads(plain)["batch"])
        self.server.requests += 1
        if self.server.requests % 2:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


def main(port: int, key: str) -> None:
    lossy = Lossy(port)
    threading.Thread(target=lossy.serve_forever, daemon=True).start()
    errors: list[str] = []
    sent: list[str] = []
    for zipped in (False, True):
        client = Client(
            key,
            host=f"http://127.0.0.1:{lossy.server_address[1]}",
            gzip=zipped,
            on_error=lambda error, _: errors.append(str(error)),
            upload_size=20,
        )
        for number in range(100):
            at = datetime.now(timezone.utc) - timedelta(minutes=number)
            _, message = client.track(number + 1, "Report Opened", {"rows": number, "at": at}, timestamp=at)
            sent.append(message["messageId"])
        client.identify(7, {"email": "ada@example.com"})
        client.page(7, "Docs", "Home")
        client.track(anonymous_id="abc", event="Report Opened")
        client.flush()
        client.join()
    print(json.dumps({"sent": sent, "passed_on": lossy.passed_on, "errors": errors}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
