"""Collects what the package sends to a server in any test, for the judges of its SQL.

A statement is the package's when the nearest frame of the two, package or tests, that led to it is the package's.
Only this process is heard; what a test's subprocess sends is not.
"""

import json
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path

import pytest
from pymysql.cursors import Cursor

import skene_dagster

PACKAGE = str(Path(skene_dagster.__file__).parent)
TESTS = str(Path(__file__).parent)


class Collector:
    """The distinct statements so far, with their placeholders."""

    def __init__(self) -> None:
        self.statements: set[str] = set()

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        """Hear what is given to the driver, whoever gives it: SQLAlchemy, its dialect, or the package itself."""
        for method in ("execute", "executemany"):
            patch.setattr(Cursor, method, self._heard(getattr(Cursor, method)))

    def _heard(self, method: Callable[..., int]) -> Callable[..., int]:
        @wraps(method)
        def heard(cursor: Cursor, query: str | bytes, args: object = None) -> int:
            # `executemany` gives the rows on to `execute` as bytes, with its values in place.
            if isinstance(query, str):
                # Whose it is makes it no other statement, and hides how it begins.
                told = _few(re.sub(r"/\* skene_dagster\b.*?\*/ ?", "", query), args)
                if told not in self.statements and _sent_by_the_package():
                    self.statements.add(told)
            return method(cursor, query, args)

        return heard

    def write(self, folder: Path) -> None:
        """Write one JSON string per line into a file of this process's own."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(statement) + "\n" for statement in sorted(self.statements)]
        (folder / f"{uuid.uuid4().hex}.jsonl").write_text("".join(lines), encoding="utf-8")


def _few(query: str, args: object) -> str:
    """Show a LIMIT of none or one: such rows need no order."""
    if not isinstance(args, Mapping):
        return query
    return re.sub(r"\bLIMIT %\((\w+)\)s", lambda at: f"LIMIT {args[at[1]]}" if args[at[1]] in (0, 1) else at[0], query)


def _sent_by_the_package() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith((PACKAGE, TESTS)):
            return file.startswith(PACKAGE)
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False
