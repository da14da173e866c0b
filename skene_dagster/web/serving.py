"""Running the app with uvicorn, until a signal: then it accepts no more requests, and commits those it accepted."""

import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

import uvicorn

try:
    import resource
except ImportError:  # Windows, where a process may have as many files open as it likes
    resource = None  # type: ignore[assignment]

from skene_dagster.web.app import make_app
from skene_dagster.web.connections import limited
from skene_dagster.web.limits import Limits
from skene_dagster.web.parts import Part

_QUEUED = 2048
"""Connections that wait to be accepted."""

_OTHER_FILES = 64
"""Files that the process has open besides its connections: the database's, the event loop's, Python's."""


def listen(host: str, port: int) -> socket.socket:
    """Bind the port; 0 is any that is free.

    Raises:
        OSError: it is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_QUEUED)


def run(listener: socket.socket, parts: Sequence[Part], limits: Limits | None = None) -> None:
    """Serve until SIGTERM or SIGINT; return when all accepted requests are answered."""
    limits = _with_room(limits or Limits())
    config = uvicorn.Config(
        make_app(parts, limits),
        # Our own log: uvicorn's would show who sent what, and a line for each port scan.
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        http=limited(limits),
        backlog=_QUEUED,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
    )
    with _signals_end_it():
        uvicorn.Server(config).run(sockets=[listener])


def _with_room(limits: Limits) -> Limits:
    """Raise the limit of open files as far as allowed, and limit the connections to what that leaves room for.

    One more would take a file from the database, and an event loop that cannot accept does nothing else for a while.
    """
    if resource is None:
        return limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return replace(limits, connections=most - _OTHER_FILES)


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Treat a signal as a regular end: uvicorn, 2026-11, raises it once more after an orderly stop."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
