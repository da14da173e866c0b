"""TiDB's own parser, run over statements: the real grammar without a server."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tidb_guard import as_prepared

PROGRAM = Path(__file__).parent / "tidb_parser"


@dataclass(frozen=True)
class Refusal:
    """A statement that is not TiDB's, and what its parser says."""

    sql: str
    error: str


def why_not_here() -> str:
    """Say why the parser cannot run on this machine; nothing where it can."""
    return "" if shutil.which("go") else "there is no Go here: TiDB's own parser cannot judge the emitted SQL"


def refusals(statements: Iterable[str]) -> list[Refusal]:
    """Return the statements that TiDB's parser refuses. The first call on a machine builds the parser (a minute)."""
    given = "".join(json.dumps(as_prepared(sql)) + "\n" for sql in statements)
    # Go keeps what it built in its own cache; -C needs no working directory of ours.
    judged = subprocess.run(
        ["go", "run", "-C", str(PROGRAM), "."],
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if judged.returncode != 0:
        raise RuntimeError(f"TiDB's parser did not run:\n{judged.stderr}")
    found = [json.loads(line) for line in judged.stdout.splitlines()]
    return [Refusal(one["sql"], one["error"]) for one in found]
