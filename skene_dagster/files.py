"""The one place where a project's files are read: regular files inside of it, in UTF-8, up to a limit.

And where a file is written in one step, so that a reader sees the old one or the new one, never a part.
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from skene_dagster.codes import Code
from skene_dagster.errors import DocumentError, Place

LARGEST = 256 * 1024
"""The most bytes of a file. The parsers are written in Python, and would take seconds for much larger ones."""

MOST_NAMES = 10_000
"""The most names in a folder."""

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# Waits for nothing, and follows no link that was put there after the check. Windows has neither flag.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def read_text(file: Path, shown: str, error: type[DocumentError], *, root: Path) -> str:
    """Return a file's text.

    Args:
        root: the project's folder, which no link may leave. (A folder that skene.yaml names elsewhere is its own root.)

    Raises:
        error: the file is missing, not regular, too large, elsewhere or not UTF-8. It quotes nothing of the file.
    """
    place = Place(shown)
    try:
        path = file.resolve(strict=True)
        if not path.is_relative_to(boundary(file.parent, root).resolve()):
            advice = "Replace it by the file itself."
            raise error(
                "The file is a link to a place outside the project.", advice=advice, place=place, code=Code.UNREADABLE
            )
        raw = _read(path, error, place)
    except OSError as bad:
        raise error(
            f"The file cannot be read: {bad.strerror or 'it does not exist'}.", place=place, code=Code.UNREADABLE
        ) from None
    except (ValueError, RuntimeError):
        # A NUL in the path; Python before 3.13, 2026-11: a link to itself.
        raise error("The file cannot be read: it does not exist.", place=place, code=Code.UNREADABLE) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        line = bad.object[: bad.start].count(b"\n") + 1
        message = f"The file is not UTF-8 (byte {bad.start})."
        raise error(message, advice="Save it as UTF-8.", place=Place(shown, line), code=Code.UNREADABLE) from None


@contextmanager
def replacing(file: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Write a file under another name, and put it into its place when all of it is written.

    Args:
        private: only its owner may read it.

    Raises:
        OSError: it cannot be written; what was in its place is still there.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        # Of a process that died: in containers, the next one often has its number.
        draft.unlink(missing_ok=True)
        # Nobody else's file or link is written to, wherever it stands.
        made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with os.fdopen(made, "wb") as opened:
            yield opened
        draft.replace(file)
    finally:
        with suppress(OSError):
            draft.unlink()


def boundary(folder: Path, root: Path) -> Path:
    """Return the folder that the files of a folder must not lead out of."""
    there = Path(os.path.normpath(folder))
    return root if there.is_relative_to(root) else there


def names_in(folder: Path) -> list[str]:
    """List a folder's names, sorted; more than `MOST_NAMES` are not listed to the end.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in islice(entries, MOST_NAMES + 1))


def shown_path(file: Path, root: Path) -> str:
    """Name a file as its author sees it: from the project's folder, if it is in there."""
    path = (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
    # A name may hold anything but a slash: a line break, what steers a terminal, half a character.
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in path)


def _read(path: Path, error: type[DocumentError], place: Place) -> bytes:
    # Opening a device may already have an effect, so check before; and after, because it may be another file by then.
    _check(path.lstat(), error, place)
    with os.fdopen(os.open(path, _FLAGS), "rb") as opened:
        _check(os.fstat(opened.fileno()), error, place)
        raw = opened.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise _too_large(error, place)
    return raw


def _check(found: os.stat_result, error: type[DocumentError], place: Place) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise error(
            f"This is {kind}, not a file.",
            advice="Replace it by a file, or remove it.",
            place=place,
            code=Code.UNREADABLE,
        )
    if found.st_size > LARGEST:
        raise _too_large(error, place)


def _too_large(error: type[DocumentError], place: Place) -> DocumentError:
    message = f"The file has more than {LARGEST // 1024} KiB, the most that is read."
    return error(message, advice="Shorten it, or split it.", place=place, code=Code.UNREADABLE)
