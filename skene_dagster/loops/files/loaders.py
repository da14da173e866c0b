"""The folder of the loop files: each is read by its ending and checked against the format, none hides another."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skene_dagster import boundary
from skene_dagster.documents import Document, cut, parse
from skene_dagster.errors import DocumentError, LoopError, LoopInvalid, LoopSyntaxError, Place
from skene_dagster.files import MOST_NAMES, names_in, read_text, shown_path
from skene_dagster.loops.files.python_file import run_python
from skene_dagster.loops.files.typescript import parse_typescript
from skene_dagster.loops.model import Loop
from skene_dagster.yaml_document import parse_yaml


@dataclass(frozen=True)
class Loaded:
    """One file: the loop that it declares, or what is wrong with it."""

    file: str
    document: Document | None
    loop: Loop | None
    error: DocumentError | None


def _yaml(text: str, _file: Path, shown: str) -> Document:
    return parse_yaml(text, shown, LoopSyntaxError)


def _typescript(text: str, _file: Path, shown: str) -> Document:
    return parse_typescript(text, shown)


_READERS: dict[str, Callable[[str, Path, str], Document]] = {
    ".ts": _typescript,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".py": run_python,
}
# A loop in one of these would silently never run, so it is named; other endings (.md, .sql, …) are the author's own.
_MISTAKEN = {".json", ".js", ".mjs", ".cjs", ".jsx", ".mts", ".cts", ".tsx"}
_OF_EDITORS = {"package.json", "package-lock.json", "tsconfig.json"}


def load_folder(folder: Path, root: Path) -> list[Loaded]:
    """Load every loop file of a folder, by name; subfolders and names that begin with `_` or `.` are left alone.

    Raises:
        LoopError: the folder is missing, cannot be read, or holds no loop file.
    """
    shown = shown_path(folder, root)
    advice = "Write a .ts, .yaml or .py file there, or name the right folder in skene.yaml (`loops: …`)."
    try:
        names = names_in(folder)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise LoopError(f"There is no folder {cut(shown)}/.", advice=advice) from None
    except OSError as bad:
        raise LoopError(f"The folder {cut(shown)}/ cannot be read: {bad.strerror}.", advice=advice) from None
    if len(names) > MOST_NAMES:
        raise LoopError(
            f"{shown}/ holds more than {MOST_NAMES:,} files.", advice="Keep loops in a folder of their own."
        )
    files = [folder / name for name in names if _is_loop_file(folder / name)]
    if not files:
        raise LoopError(f"There are no loops in {shown}/.", advice=advice)
    return [load_file(file, root) for file in files]


def load_file(file: Path, root: Path) -> Loaded:
    """Load one loop file; what is wrong with it is in the result."""
    shown = shown_path(file, root)
    document = None
    try:
        reader = _READERS.get(file.suffix.lower())
        if reader is None:
            raise LoopSyntaxError(
                f"A loop is not read from a {file.suffix} file.",
                advice="Write it as .ts, .yaml or .py; a name that begins with _ is ignored.",
                place=Place(shown),
            )
        with boundary.around(shown):
            document = reader(read_text(file, shown, LoopSyntaxError, root=root), file, shown)
            return Loaded(shown, document, parse(Loop, document, LoopInvalid), None)
    except DocumentError as error:
        return Loaded(shown, document, None, error)


def _is_loop_file(file: Path) -> bool:
    if file.name.startswith(("_", ".")) or file.name.endswith(".d.ts") or file.name in _OF_EDITORS:
        return False
    return file.suffix.lower() in _READERS.keys() | _MISTAKEN and not os.path.isdir(file)  # noqa: PTH112 - never raises
