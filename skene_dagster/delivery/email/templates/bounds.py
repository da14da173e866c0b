"""What a template may cost: every way in which a few characters make a long text, or a lot of work, has a limit.

Nothing is computed when a template is compiled, everything when an email is made, where it is charged to that email.
An email that costs too much is stopped (`Unrenderable`), long before it costs this machine.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context, markup_join, str_join
from jinja2.utils import _PassArg  # Jinja 3.1, 2026-11: how a filter says what else it is to be given
from jinja2.visitor import NodeTransformer

from skene_dagster.delivery.email.headers import Unrenderable
from skene_dagster.delivery.email.templates.looks import (
    CONTAINERS,
    LONGEST,
    LOOKS,
    METHODS,
    MOST_WORK,
    look_at_format,
    look_at_join,
    too_long,
    width_of,
)
from skene_dagster.delivery.email.templates.trees import MOST_BITS

_A_STEP = 32
_SIZED = (str, bytes, list, tuple)


class Account(Context):
    """The context of one rendering, and what it has cost so far."""

    work = 0

    def charge(self, *values: object) -> None:
        """Charge an operation on some values.

        Raises:
            Unrenderable: there is nothing left.
        """
        self.work += 1
        for value in values:
            self.work += _weight(value)
        if self.work > MOST_WORK:
            raise Unrenderable("the template takes too many steps")

    def charged(self, result: Any) -> Any:
        """Charge an operation's result: a few characters may make a lot, and as much again each time."""
        self.charge(result)
        return result


def joined(parts: Iterable[str]) -> str:
    """Join what a template, a macro or a block prints."""
    found: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > LONGEST:
            raise too_long()
        found.append(part)
    return "".join(found)


def bounded(function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
    """Let a filter or a test charge what it is given, after a look at what it would make of it."""
    look = LOOKS.get(name)
    passed = _PassArg.from_obj(function)

    def first(context: Account) -> tuple[object, ...]:
        if passed is _PassArg.context:
            return (context,)
        if passed is _PassArg.eval_context:
            return (context.eval_ctx,)
        return (context.environment,) if passed is _PassArg.environment else ()

    @pass_context
    def run(context: Account, value: object = None, *args: object, **kwargs: object) -> object:
        context.charge(value, *args, *kwargs.values())
        if look is not None:
            value = look(value, *args, **kwargs)
        if name == "wordwrap":
            context.charge(range(len(str(value)) // width_of(*args, **kwargs)))
        return context.charged(function(*first(context), value, *args, **kwargs))

    return run


@pass_context
def _counted(context: Account, value: Any) -> list[Any]:
    """Charge the iterations of a loop."""
    found = list(islice(value, MOST_WORK))
    context.charge(found)
    return found


@pass_context
def _chained(context: Account, values: list[Any]) -> str:
    """Charge what `~` joins."""
    context.charge(values)
    look_at_join(values)
    return markup_join(values) if context.eval_ctx.autoescape else str_join(values)


@pass_context
def _compared(context: Account, value: Any) -> Any:
    """Charge what is compared."""
    return context.charged(value)


@pass_context
def _sliced(context: Account, value: Any) -> Any:
    """Charge what is cut out of a text or a list."""
    return context.charged(value)


OURS: Mapping[str, Callable[..., Any]] = {
    "_counted": _counted,
    "_chained": _chained,
    "_compared": _compared,
    "_sliced": _sliced,
}
"""The filters that `Charged` puts into a template."""


def operate(context: Account, operator: str, left: Any, right: Any, work: Callable[[Any, Any], Any]) -> Any:
    """Do `+`, `*`, `**` or `%`."""
    context.charge(left, right)
    if operator == "%" and isinstance(left, str | bytes):
        look_at_format(left, right)
    elif operator == "*" and (_is_too_long(left, right) or _is_too_long(right, left)):
        raise too_long()
    elif operator == "+" and isinstance(left, _SIZED) and isinstance(right, _SIZED):
        if len(left) + len(right) > LONGEST:
            raise too_long()
    elif isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
        if bits > MOST_BITS:
            raise Unrenderable("an expression gives a number that is too large")
    return context.charged(work(left, right))


def look_at_call(function: Any, args: tuple[Any, ...]) -> None:
    """Look at a call of a text's own methods; those of numbers are none that a template needs."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    if isinstance(owner, str | bytes) and name in METHODS:
        LOOKS[METHODS[name]](owner, *args)


def is_method(owner: object, name: str) -> bool:
    """Say whether a template may have a method: not one whose result has nothing to do with what it is given."""
    if isinstance(owner, str | bytes):
        return name not in {"expandtabs", "translate", "format_map", "maketrans"}
    return not isinstance(owner, int | float) or name == "is_integer"


def look_at_pattern(text: str) -> None:
    """Look at the pattern of `'…'.format(…)`."""
    if re.search(r"[0-9]{4}|:[^{}]{0,100}\{", text):
        raise Unrenderable("a format is too wide")


class Charged(NodeTransformer):
    """Has a template charge what Jinja has no hook for: turns of a loop, `~`, slices, and comparisons."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.iter = _call("_counted", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _call("_chained", nodes.List(node.nodes, lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = _call("_compared", node.expr)
        for operand in node.ops:
            operand.expr = _call("_compared", operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _call("_sliced", node) if isinstance(node.arg, nodes.Slice) else node


def _call(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _weight(value: object, levels: int = 3) -> int:
    if isinstance(value, str | bytes):
        return len(value) // _A_STEP
    if not isinstance(value, CONTAINERS):
        return 0
    if isinstance(value, range):
        return len(value)
    if not levels:
        # Lists in lists in lists: what ten lines make of them, no comparison comes to the end of.
        raise Unrenderable("a list is nested too deeply")
    total = 0
    for item in (*value.keys(), *value.values()) if isinstance(value, dict) else value:
        total += 1 + _weight(item, levels - 1)
        if total > MOST_WORK:
            break
    return total


def _is_too_long(value: object, times: object) -> bool:
    return isinstance(value, _SIZED) and isinstance(times, int) and len(value) * times > LONGEST
