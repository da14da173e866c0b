"""Running the app with uvicorn, until a signal: then no request is taken any more, and what was taken is committed."""

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from skene_dagster.audience.events import Journal
from skene_dagster.edge.app import make_app
from skene_dagster.edge.limits import Limits

_QUEUED = 2048
"""Connections that wait to be accepted."""


def listen(host: str, port: int) -> socket.socket:
    """Bind the port; 0 is any that is free.

    Raises:
        OSError: it is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_QUEUED)


def run(listener: socket.socket, journal: Journal, *, write_key: str | None, limits: Limits | None = None) -> None:
    """Serve until SIGTERM or SIGINT; return when what was taken is answered."""
    limits = limits or Limits()
    config = uvicorn.Config(
        make_app(journal, write_key=write_key, limits=limits),
        # Our own log: uvicorn's would say who sent what, and at each scan of the port something.
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        backlog=_QUEUED,
        timeout_graceful_shutdown=limits.stop_seconds,
    )
    with _signals_end_it():
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Let a signal be a good end: uvicorn, 2026-11, raises it once more when it has stopped in order."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
