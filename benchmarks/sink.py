"""A Resend that only counts: it reads a batch, answers with ids, and knows no rule but its rate limit, if it has one.

python -m benchmarks.sink [CALLS PER SECOND]      prints its port
"""

import json
import socket
import sys
import time
import uuid
from io import BufferedReader


def main(per_second: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        window, calls = 0, 0
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as reader:
                while (size := _headers(reader)) is not None:
                    body = reader.read(size)
                    now = int(time.time())
                    window, calls = (now, 1) if now != window else (window, calls + 1)
                    connection.sendall(_answer(body, per_second, calls))


def _headers(reader: BufferedReader) -> int | None:
    size = None
    while (line := reader.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return size


def _answer(body: bytes, per_second: int, calls: int) -> bytes:
    count = body.count(b'"subject":')
    limits = f"ratelimit-limit: {per_second}\r\nratelimit-policy: {per_second};w=1\r\nratelimit-remaining: "
    if calls > per_second:
        said = b'{"statusCode":429,"name":"rate_limit_exceeded","message":"Too many"}'
        head = f"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n{limits}0\r\n"
    else:
        said = json.dumps({"data": [{"id": str(uuid.uuid4())} for _ in range(count)]}).encode()
        head = f"HTTP/1.1 200 OK\r\n{limits}{per_second - calls}\r\n"
    return (
        f"{head}ratelimit-reset: 1\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n".encode()
        + said
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
