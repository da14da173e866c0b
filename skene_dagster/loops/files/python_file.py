"""Loop files in Python: `loop = define_loop(type="retention", …)`, executed, for the code is the author's own."""

import ast
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skene_dagster.documents import Document, Path_, cut, in_words
from skene_dagster.errors import LoopSyntaxError, Place
from skene_dagster.loops.files.python_texts import KEEP, lines_of
from skene_dagster.text_lines import TextLines
from skene_dagster.values import DEEPEST, LONE_HALF, MOST_VALUES, is_in_range

_FORM = "Write: loop = define_loop(type='retention', steps=[…])."


@dataclass(frozen=True)
class Declared:
    """What `define_loop` returns: the fields as they were written, checked when the file is loaded."""

    fields: Mapping[str, Any]
    line: int


def define_loop(**fields: Any) -> Declared:
    """Declare a loop in a Python file: the fields of the format, camelCase or snake_case.

    The file's loop is the value bound to the name `loop`. It is checked when it is loaded, with its line.
    """
    return Declared(fields, sys._getframe(1).f_lineno)  # noqa: SLF001 - the caller's line, for messages


def run_python(text: str, file: Path, shown: str) -> Document:
    """Execute a Python file's text and read the loop that it declares; it does not become an imported module.

    Raises:
        LoopSyntaxError: it is not Python, raises, declares no loop, or one of values that a file cannot hold.
    """
    # As Python reads it: every line break is one character.
    text = re.sub(r"\r\n?", "\n", text)
    try:
        tree = ast.parse(text, str(file))
        # Compiled here and not imported: no entry in sys.modules, no __pycache__ beside the author's files.
        code = compile(tree, str(file), "exec", dont_inherit=True)
    except SyntaxError as bad:
        raise LoopSyntaxError(
            f"The Python cannot be read: {cut(bad.msg.rstrip('.?'))}.", place=Place(shown, bad.lineno)
        ) from None
    except (ValueError, OverflowError) as bad:
        raise LoopSyntaxError(f"The Python cannot be read: {cut(str(bad))}.", place=Place(shown)) from None
    except (RecursionError, MemoryError):
        raise LoopSyntaxError("The Python is nested too deeply.", place=Place(shown)) from None
    names: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
    try:
        exec(code, names)  # noqa: S102 - the author's own code, as with any Dagster project
        # What it has made may run code of its own, too.
        return _read(names, tree, text, shown)
    except (LoopSyntaxError, KeyboardInterrupt):
        raise
    except BaseException as bad:  # noqa: BLE001 - whatever it raises, SystemExit too: the other files go on
        raise _raised(bad, file, shown) from None


def _read(names: Mapping[str, Any], tree: ast.Module, text: str, shown: str) -> Document:
    declared = names.get("loop")
    if not isinstance(declared, Declared):
        what = "is not the result of define_loop" if "loop" in names else "is not defined"
        raise LoopSyntaxError(f"'loop' {what}.", advice=_FORM, place=Place(shown))
    places = list(_places(tree, declared.line))
    lines = {path: line for path, line, _ in places}
    data = _Plain(Document(shown, {}, lines)).copied(declared.fields, ())
    document = Document(shown, data, lines)
    nodes = {path: node for path, _, node in places}
    texts = {
        path: lines_of(nodes.get(path), value, tree, text) or TextLines.computed(document.place(path).line or 1, KEEP)
        for path, value in _texts(data, ())
    }
    return Document(shown, data, lines, texts)


def _raised(bad: BaseException, file: Path, shown: str) -> LoopSyntaxError:
    stack = traceback.walk_tb(bad.__traceback__)
    own = [line for frame, line in stack if frame.f_code.co_filename == str(file)]
    try:
        said = str(bad)
    except Exception:  # noqa: BLE001 - an exception of the author's own may do anything
        said = ""
    return LoopSyntaxError(
        f"The file raised {cut(type(bad).__name__)}" + (f": {cut(said)}" if said else "."),
        place=Place(shown, own[-1] if own else None),
    )


def _texts(value: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    """Yield all texts, and where they are."""
    if isinstance(value, str):
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inside in inner:
        yield from _texts(inside, (*path, part))


def _places(tree: ast.Module, call_line: int) -> Iterator[tuple[Path_, int, ast.expr | None]]:
    """Yield path, line of the name and the value for all that is written out in the call of define_loop."""
    yield (), call_line, None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno == call_line and ast.unparse(node.func).endswith("define_loop"):
            yield from _inside(node, ())


def _inside(node: ast.expr, path: Path_) -> Iterator[tuple[Path_, int, ast.expr]]:
    found: list[tuple[Any, int, ast.expr]] = []
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        found = [(key.value, key.lineno, value) for key, value in pairs if isinstance(key, ast.Constant)]
    elif isinstance(node, ast.List | ast.Tuple):
        found = [(number, value.lineno, value) for number, value in enumerate(node.elts)]
    elif isinstance(node, ast.Call):
        found = [(word.arg, word.lineno, word.value) for word in node.keywords]
    for part, line, value in found:
        yield (*path, part), line, value
        yield from _inside(value, (*path, part))


class _Plain:
    """Copies what a file could hold: mappings, lists and scalars; refuses anything else, and a value within itself."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def copied(self, value: object, path: Path_) -> Any:
        self._values += 1
        if isinstance(value, str) and LONE_HALF.search(value):
            kind = "text with half a character"
        elif type(value) is int and not is_in_range(value):
            kind = "number out of range"
        elif value is None or type(value) in {str, int, float, bool}:
            return value
        elif len(path) > DEEPEST:
            kind = "value nested too deeply"
        elif self._values > MOST_VALUES:
            kind = f"value after {MOST_VALUES:,} others"
        elif isinstance(value, list | tuple):
            return [self.copied(inner, (*path, number)) for number, inner in enumerate(value)]
        elif isinstance(value, Mapping) and all(type(key) is str for key in value):
            return {key: self.copied(inner, (*path, key)) for key, inner in value.items()}
        else:
            kind = cut(type(value).__name__)
        raise LoopSyntaxError(
            f"{in_words(path[-2:])} is a {kind}, which a loop cannot contain.",
            advice="Write a string, a number, True, False, None, a list or a dict with string keys.",
            place=self._document.place(path),
        )
