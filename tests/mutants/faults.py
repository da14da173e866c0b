"""Every fault that can be put into a Python source: one small change each, as a careless hand makes it.

Boundaries and comparisons, terms of conditions and of WHERE, ORDER BY and LIMIT, constants by one, True and False,
`not`, min and max, statements left out.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
TERMS = {"where", "having", "and_", "or_"}
"""Calls whose arguments are conditions: any of them may be forgotten."""
CLAUSES = {"order_by", "limit", "distinct", "group_by", "desc", "where", "having"}
"""Calls on a statement that leave it a statement where they are forgotten as a whole."""


@dataclass(frozen=True)
class Fault:
    """A change of one source: the bytes from `start` to `end` are replaced."""

    line: int
    start: int
    end: int
    new: str
    kind: str

    def into(self, source: str) -> str:
        """Put it in."""
        raw = source.encode()
        return (raw[: self.start] + self.new.encode() + raw[self.end :]).decode()


def faults(source: str) -> list[Fault]:
    """List all faults that may be put into a source, in the order of its lines; see `changes`."""
    return sorted(set(_Finder(source).found()), key=lambda fault: (fault.start, fault.end, fault.new))


def changes(source: str, fault: Fault) -> bool:
    """Whether a source with a fault is still a Python program, and another one."""
    try:
        return ast.dump(ast.parse(fault.into(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


class _Finder:
    def __init__(self, source: str) -> None:
        self._raw = source.encode()
        self._tree = ast.parse(source)

    def found(self) -> Iterator[Fault]:
        for node in self._running(self._tree):
            match node:
                case ast.Compare():
                    yield from self._compared(node)
                case ast.BoolOp():
                    yield from (self._instead(node, self._without(node, n), "term") for n in range(len(node.values)))
                case ast.UnaryOp(op=ast.Not()):
                    yield self._instead(node, f"({self._text(node.operand)})", "not")
                case ast.BinOp(op=ast.Add() | ast.Sub()):
                    yield from self._between(node.left, node.right, r"[+-]", {"+": "-", "-": "+"}, "sign")
                case ast.Constant(value=bool()):
                    yield self._instead(node, str(not node.value), "constant")
                case ast.Constant(value=int(number)) | ast.Constant(value=float(number)):
                    yield self._instead(node, f"{number + 1}", "constant")
                    yield self._instead(node, f"{number - 1}" if number >= 1 else f"({number - 1})", "constant")
                case ast.Call():
                    yield from self._called(node)
                case ast.If() | ast.While() | ast.IfExp():
                    yield self._instead(node.test, f"not ({self._text(node.test)})", "turned")
                case ast.comprehension():
                    yield from (self._instead(test, "True", "term") for test in node.ifs)
                case ast.stmt():
                    yield from self._left_out(node)

    def _running(self, node: ast.AST) -> Iterator[ast.AST]:
        """Walk what does something: no annotations, no assertions, no texts and what stands in them."""
        match node:
            case ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                return
            case ast.Expr(value=ast.Constant()):
                return
        yield node
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._running(child)

    def _compared(self, node: ast.Compare) -> Iterator[Fault]:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            pattern, new = COMPARISONS[type(operator)]
            yield from self._between(left, right, pattern, {None: new}, "comparison")
            left = right

    def _between(
        self, left: ast.expr, right: ast.expr, pattern: str, new: "dict[str, str] | dict[None, str]", kind: str
    ) -> Iterator[Fault]:
        start, end = self._span(left)[1], self._span(right)[0]
        # A comment may stand between them, and say anything.
        gap = re.sub(r"#[^\n]*", lambda at: " " * len(at[0].encode()), self._raw[start:end].decode())
        operator = re.search(pattern, gap)
        if operator is not None and gap.isascii():
            changed = dict(new).get(operator[0], dict(new).get(None))  # type: ignore[call-overload]
            yield Fault(left.lineno, start + operator.start(), start + operator.end(), str(changed), kind)

    def _without(self, node: ast.BoolOp, left_out: int) -> str:
        word = " and " if isinstance(node.op, ast.And) else " or "
        rest = [f"({self._text(value)})" for n, value in enumerate(node.values) if n != left_out]
        return rest[0] if len(rest) == 1 else f"({word.join(rest)})"

    def _called(self, node: ast.Call) -> Iterator[Fault]:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SWAPPED and isinstance(node.func, ast.Name):
            yield self._instead(node.func, SWAPPED[name], "swapped")
        if name in TERMS and len(node.args) > 1:
            for left_out in range(len(node.args)):
                terms = [self._text(one) for n, one in enumerate(node.args) if n != left_out]
                yield self._instead(node, f"{self._text(node.func)}({', '.join(terms)})", "term")
        elif name in CLAUSES and isinstance(node.func, ast.Attribute):
            yield self._instead(node, self._text(node.func.value), "clause")

    def _left_out(self, node: ast.stmt) -> Iterator[Fault]:
        match node:
            case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
                yield self._instead(node, "pass", "statement")
            case ast.Return() if node not in self._last:
                yield self._instead(node, "pass" if node.value is None else self._text(node.value), "statement")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._instead(node, "pass", "statement")

    def _instead(self, node: ast.AST, new: str, kind: str) -> Fault:
        start, end = self._span(node)
        return Fault(getattr(node, "lineno", 0), start, end, new, kind)

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._raw[start:end].decode()

    def _span(self, node: ast.AST) -> tuple[int, int]:
        at: ast.expr = node  # type: ignore[assignment]  # all that is asked about has a place
        assert at.end_lineno is not None
        assert at.end_col_offset is not None
        return self._lines[at.lineno - 1] + at.col_offset, self._lines[at.end_lineno - 1] + at.end_col_offset

    @cached_property
    def _last(self) -> set[ast.stmt]:
        """The last statements of functions: a test that asks for the answer at all sees that there is none."""
        return {node.body[-1] for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef)}

    @cached_property
    def _lines(self) -> list[int]:
        """Where each line begins, in bytes."""
        return [0, *(at.end() for at in re.finditer(rb"\n", self._raw))]
