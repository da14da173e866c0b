"""Whose work a statement is: a comment at its head, which a server's slow log and statement summary keep.

TiDB's digests leave comments out, so that a statement stays one statement, whoever runs it.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context

PROGRAM = "skene_dagster"

_label: ContextVar[str] = ContextVar("_label", default="")


@contextmanager
def labelled(**parts: str) -> Iterator[None]:
    """Sign the statements of the block, without what is empty: `/* skene_dagster loop=retention step=main run=… */`."""
    # What could end the comment, or be taken for a parameter, is no part of a name.
    clean = {name: re.sub(r"[^A-Za-z0-9_.-]", "_", value) for name, value in parts.items() if value}
    token = _label.set(" ".join(f"{name}={value}" for name, value in clean.items()))
    try:
        yield
    finally:
        _label.reset(token)


def signed(statement: str) -> str:
    """Put the label into a statement.

    An INSERT keeps its first word: PyMySQL, 2026-11, sends one with many rows as one statement only if it begins so.
    """
    comment = f"/* {' '.join(filter(None, (PROGRAM, _label.get())))} */"
    word, blank, rest = statement.partition(" ")
    return f"{word} {comment}{blank}{rest}" if word in {"INSERT", "REPLACE"} else f"{comment} {statement}"


def thread(work: Callable[[], object], name: str) -> threading.Thread:
    """Make a daemon thread whose statements are signed as those of who makes it."""
    return threading.Thread(target=copy_context().run, args=(work,), name=name, daemon=True)
