"""A file that a command writes about people: only its owner may read it, and it is there when all of it is written."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click


@contextmanager
def opened(file: Path, *, to_stdout: bool) -> Iterator[TextIO]:
    """Open a file, or standard output.

    Raises:
        click.BadParameter: it cannot be written.
    """
    if to_stdout:
        yield sys.stdout
        return
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w", encoding="utf-8", newline="") as opened:
            yield opened
        part.replace(file)
    except OSError as bad:
        raise click.BadParameter(f"{file} cannot be written: {bad.strerror}.", param_hint="FILE") from None
    finally:
        with suppress(OSError):
            part.unlink()
