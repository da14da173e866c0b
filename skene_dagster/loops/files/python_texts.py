"""Which lines of a Python file the texts of its loop stand on: Python joins neighbours, and what `+` joins."""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from functools import lru_cache

from skene_dagster.text_lines import TextLines

KEEP = 'Write the text in one """…""", without a backslash at the end of a line: it keeps the lines.'
_KEPT_LINES = frozenset(("dedent", "cleandoc", "strip", "lstrip", "rstrip"))
"""Functions and methods that change nothing of a text but the blanks around its lines."""


def lines_of(node: ast.expr | None, value: str, tree: ast.Module, source: str) -> TextLines | None:
    """Find the lines of a text; None where the file computes it."""
    if node is None:
        return None
    with warnings.catch_warnings():
        # Of a backslash that begins nothing Python warned when it compiled the file.
        warnings.simplefilter("ignore")
        try:
            pieces = list(_pieces(node, tree, source))
        except RecursionError:
            return None
    if "".join(piece for _, piece in pieces) == value:
        return TextLines.of(pieces, KEEP)
    return TextLines.between_blanks(value, pieces, KEEP)


def _pieces(node: ast.expr, tree: ast.Module, source: str) -> Iterator[tuple[int, str]]:
    """Yield what of a text stands on which line; what is computed is left out."""
    match node:
        case ast.Constant(value=str()):
            yield from _written(node, source)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _pieces(left, tree, source)
            yield from _pieces(right, tree, source)
        case ast.Name(id=name):
            found = [
                statement.value
                for statement in tree.body
                if isinstance(statement, ast.Assign | ast.AnnAssign) and _names(statement) == [name]
            ]
            if len(found) == 1 and found[0] is not None:
                yield from _pieces(found[0], tree, source)
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.List(elts=texts) | ast.Tuple(elts=texts)]):
            for text in texts:
                yield from _pieces(text, tree, source)
        case ast.Call(func=ast.Attribute(value=ast.Name(), attr=called), args=[text]) if called in _KEPT_LINES:
            yield from _pieces(text, tree, source)
        case ast.Call(func=ast.Name(id=called), args=[text]) if called in _KEPT_LINES:
            yield from _pieces(text, tree, source)
        case ast.Call(func=ast.Attribute(value=text, attr=called), args=[]) if called in _KEPT_LINES:
            yield from _pieces(text, tree, source)


def _names(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id if isinstance(target, ast.Name) else "" for target in targets]


def _written(node: ast.Constant, source: str) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a text that is written out: its lines, and what stands side by side."""
    # In parentheses, for tokens that stand on several lines.
    for token in tokenize.generate_tokens(io.StringIO(f"({_segment(node, source)})").readline):
        if token.type == tokenize.STRING:
            prefix, quote, inner = _parts(token.string)
            for number, line in enumerate(re.split(r"(?<=\n)", inner)):
                piece = ast.literal_eval(f"{prefix}{quote}{line}{quote}")
                yield node.lineno + token.start[0] - 1 + number, piece


def _segment(node: ast.expr, source: str) -> str:
    """Return an expression as it is written. (`ast.get_source_segment` splits the whole file each time.)"""
    assert node.end_lineno is not None
    lines = _encoded_lines(source)[node.lineno - 1 : node.end_lineno]
    # From the end, for the first line may be the last.
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"\n".join(lines).decode()


@lru_cache(maxsize=1)
def _encoded_lines(source: str) -> list[bytes]:
    return source.encode().split(b"\n")


def _parts(literal: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"""([a-zA-Z]*)('''|\"""|'|")(.*)\2""", literal, re.DOTALL)
    assert found is not None
    return found[1], found[2], found[3]
