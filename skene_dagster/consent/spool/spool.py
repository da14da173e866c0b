"""The folder in which answers wait for the database; any number of processes on the machine share it.

    choices.jsonl       one line for each recipient's choices; appended to, and on disk before anybody is answered
    draining.jsonl      the same file, taken away to be written to the database; deleted once it is there

A process may die at any point: what was taken away is taken up by the next, and writing it twice changes nothing.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from skene_dagster.consent.spool.choices import Choices, Torn
from skene_dagster.consent.spool.locks import locked
from skene_dagster.errors import SpoolError

AT_ONCE = 100
"""Choices that are written in one transaction."""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Waiting:
    """What is in the folder."""

    choices: int
    since: datetime
    """When the oldest of its files was last written to, or begun; by this machine's clock, in UTC."""


class Spool:
    """The folder; nothing is made before there is something to keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new = folder / "choices.jsonl"
        self._taken = folder / "draining.jsonl"

    def add(self, choices: Sequence[Choices]) -> None:
        """Keep choices; they are on disk when this returns.

        Raises:
            OSError: they may be kept or not.
        """
        make_private(self.folder)
        with locked(self.folder / "append.lock"):
            is_new = not self._new.exists()
            descriptor = os.open(self._new, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _append(descriptor, b"".join(one.line() for one in choices))
            finally:
                os.close(descriptor)
            if is_new:
                sync_folder(self.folder)

    def is_empty(self) -> bool:
        """Whether nothing waits.

        Raises:
            SpoolError: this process may not look.
        """
        with self._readable():
            return not (_is_there(self._taken) or _is_there(self._new))

    def waiting(self) -> Waiting | None:
        """Count what waits; None if it is nothing.

        Raises:
            SpoolError: it cannot be read.
        """
        count, since = 0, []
        with self._readable():
            for file in (self._taken, self._new):
                with suppress(FileNotFoundError):
                    since.append(file.stat().st_mtime)
                    count += sum(1 for _ in self._lines(file))
        if not since:
            return None
        return Waiting(count, datetime.fromtimestamp(min(since), timezone.utc).replace(tzinfo=None))

    def drain(self, write: Callable[[Sequence[Choices]], None], patience: float) -> int:
        """Hand everything over, and forget it.

        Args:
            write: commits them; what it raises ends the draining, and all stays.
            patience: seconds to wait for another process that drains the same.

        Returns:
            How many choices were handed over.

        Raises:
            SpoolError: it cannot be read, or another process has been at it for too long.
        """
        total = 0
        with self._readable():
            if self.is_empty():
                return 0
            try:
                with locked(self.folder / "drain.lock", patience):
                    while self._take():
                        total += self._hand_over(write)
                        self._taken.unlink()
            except TimeoutError:
                raise SpoolError(
                    f"Another process has been writing what waits in {self.folder} to the database for {patience:g} s.",
                    advice="Try again; skene-dagster status names what waits.",
                ) from None
        return total

    def _take(self) -> bool:
        """Take away what there is, unless somebody who died has done it; whether there is something."""
        if self._taken.exists():
            return True
        with locked(self.folder / "append.lock"), suppress(FileNotFoundError):
            self._new.rename(self._taken)
            return True
        return False

    def _hand_over(self, write: Callable[[Sequence[Choices]], None]) -> int:
        total = 0
        some: list[Choices] = []
        for one in self._lines(self._taken):
            some.append(one)
            if len(some) == AT_ONCE:
                write(some)
                total, some = total + len(some), []
        if some:
            write(some)
        return total + len(some)

    def _lines(self, file: Path) -> Iterator[Choices]:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield Choices.read(line)
                except Torn:
                    continue
                except ValueError:
                    raise SpoolError(
                        f"Line {number} of {file} is of another release.",
                        advice="Run the release of skene-dagster that wrote it: it is what a recipient answered.",
                    ) from None

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SpoolError(
                f"What recipients answered may wait in {self.folder}, which cannot be read: {error.strerror}.",
                advice="Let all processes of the project run as one user of the machine, to whom the folder belongs.",
            ) from None


def make_private(folder: Path) -> None:
    """Make a folder that nobody else may look into.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A volume of a container is there already; it may belong to root.
    with suppress(PermissionError):
        folder.chmod(0o700)


def can_keep(folder: Path) -> bool:
    """Whether something can be kept in a folder, as far as its rights say."""
    try:
        make_private(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def sync_folder(folder: Path) -> None:
    """Have it on disk which files there are."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_there(file: Path) -> bool:
    try:
        file.stat()
    except FileNotFoundError:
        return False
    return True


def _ends_a_line(descriptor: int, size: int) -> bool:
    if not size:
        return True
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


def _append(descriptor: int, lines: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if not _ends_a_line(descriptor, size):
        # Somebody died while they wrote: what they began is no line, and ends here.
        lines = b"\n" + lines
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(descriptor, rest[:_BLOCK]) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise
