"""The folder of the loop files: each is read by its ending and checked against the format, none hides another."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skene_dagster.documents import Document, parse
from skene_dagster.errors import DocumentError, LoopError, LoopInvalid, LoopSyntaxError, Place
from skene_dagster.loops.model import Loop
from skene_dagster.loops.python_file import read_python
from skene_dagster.loops.typescript import read_typescript
from skene_dagster.yaml_document import read_yaml


@dataclass(frozen=True)
class Loaded:
    """One file: the loop that it declares, or what is wrong with it."""

    file: str
    document: Document | None
    loop: Loop | None
    error: DocumentError | None


def _read_yaml(file: Path, shown: str) -> Document:
    return read_yaml(file, shown, LoopSyntaxError)


_READERS: dict[str, Callable[[Path, str], Document]] = {
    ".ts": read_typescript,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".py": read_python,
}
# A loop in one of these would silently never run, so it is named; other endings (.md, .sql, …) are the author's own.
_MISTAKEN = {".json", ".js", ".mjs", ".cjs", ".jsx", ".mts", ".cts", ".tsx"}
_OF_EDITORS = {"package.json", "package-lock.json", "tsconfig.json"}


def load_folder(folder: Path, root: Path) -> list[Loaded]:
    """Load every loop file of a folder, by name; subfolders and names that begin with `_` or `.` are left alone.

    Raises:
        LoopError: the folder is missing, or holds no loop file.
    """
    shown = _shown(folder, root)
    advice = "Write a .ts, .yaml or .py file there, or name the right folder in skene.yaml (`loops: …`)."
    if not folder.is_dir():
        raise LoopError(f"There is no folder {shown}/.", advice=advice)
    files = sorted(file for file in folder.iterdir() if _is_loop_file(file))
    if not files:
        raise LoopError(f"There are no loops in {shown}/.", advice=advice)
    return [load_file(file, root) for file in files]


def load_file(file: Path, root: Path) -> Loaded:
    """Load one loop file; what is wrong with it is in the result."""
    shown = _shown(file, root)
    document = None
    try:
        reader = _READERS.get(file.suffix.lower())
        if reader is None:
            raise LoopSyntaxError(
                f"A loop is not read from a {file.suffix} file.",
                advice="Write it as .ts, .yaml or .py; a name that begins with _ is left alone.",
                place=Place(shown),
            )
        document = reader(file, shown)
        return Loaded(shown, document, parse(Loop, document, LoopInvalid), None)
    except DocumentError as error:
        return Loaded(shown, document, None, error)


def _is_loop_file(file: Path) -> bool:
    if file.name.startswith(("_", ".")) or file.name.endswith(".d.ts") or file.name in _OF_EDITORS or file.is_dir():
        return False
    return file.suffix.lower() in _READERS.keys() | _MISTAKEN


def _shown(file: Path, root: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
