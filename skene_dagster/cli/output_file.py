"""A file that a command writes about people: only its owner may read it, and it is there when all of it is written."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import click

from skene_dagster.files import replacing


@contextmanager
def opened(file: Path, *, to_stdout: bool) -> Iterator[TextIO]:
    """Open a file, or standard output.

    Raises:
        click.BadParameter: it cannot be written.
    """
    if to_stdout:
        yield sys.stdout
        return
    try:
        with replacing(file, private=True) as raw, TextIOWrapper(raw, encoding="utf-8", newline="") as text:
            yield text
    except OSError as bad:
        raise click.BadParameter(f"{file} cannot be written: {bad.strerror}.", param_hint="FILE") from None
