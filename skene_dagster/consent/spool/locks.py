"""A lock that several processes share, and that ends with the process that has it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where one process is expected to serve a project
    fcntl = None  # type: ignore[assignment]

_A_MOMENT = 0.02


@contextmanager
def locked(file: Path, seconds: float | None = None) -> Iterator[None]:
    """Hold the lock of a file.

    Args:
        seconds: how long to wait for it; None: as long as it takes.

    Raises:
        TimeoutError: another has it.
        OSError: the file cannot be made.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if fcntl is not None:
            _lock(descriptor, seconds)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, seconds: float | None) -> None:
    if seconds is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(_A_MOMENT)
        else:
            return
