"""What an email needs: the names that a template prints or compares without a fallback.

Read from Jinja's own tree, by the rules of `missing`: what is made of a missing value is missing, until a fallback.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

Names = frozenset[str]
_NONE: Names = frozenset()

_FALLBACKS = frozenset({"default", "d"})
_ASKING = frozenset({"defined", "undefined", "none"})


def needed(tree: nodes.Template) -> Names:
    """Name what must be there for the template to be rendered; a column is named `user.name`.

    `user.nick or user.name` needs neither: each has a fallback, though that may be missing, too.
    """
    reading = _Reading()
    reading.statements(tree.body, _NONE)
    return frozenset(reading.needed)


@dataclass
class _Reading:
    needed: set[str] = field(default_factory=set)
    set_from: dict[str, Names] = field(default_factory=dict)
    """What the variables that the template sets itself are missing with."""

    def statements(self, body: Iterable[nodes.Node], there: Names) -> None:
        """Read statements; `there` are the names that an `if` around them has asked for."""
        for node in body:
            match node:
                case nodes.If():
                    self._branches(node, there)
                case nodes.For():
                    self._use(node.iter, there)
                    self.set_from |= dict.fromkeys(_targets(node.target), _NONE)
                    self.statements([*node.body, *node.else_], there)
                case nodes.Assign():
                    missing = self._missing(node.node, there)
                    self.set_from |= dict.fromkeys(_targets(node.target), missing)
                case nodes.Output():
                    for one in node.nodes:
                        self._use(one, there)
                case nodes.Expr():
                    self._use(node, there)
                case _:
                    self.statements(node.iter_child_nodes(), there)

    def _branches(self, node: nodes.If, there: Names) -> None:
        otherwise = there
        for branch in (node, *node.elif_):
            self._missing(branch.test, otherwise)
            self.statements(branch.body, otherwise | self._there_if(branch.test))
            otherwise |= self._there_unless(branch.test)
        self.statements(node.else_, otherwise)

    def _use(self, node: nodes.Node, there: Names) -> None:
        self.needed |= self._missing(node, there)

    def _missing(self, node: nodes.Node, there: Names) -> Names:
        """Name what the value of an expression is missing with; what it needs in any case is noted."""
        if (name := _variable(node)) is not None:
            return self.set_from.get(name, frozenset({name})) - there
        match node:
            case nodes.Filter(name=name, node=nodes.Node() as inner) if name in _FALLBACKS:
                self._missing(inner, there)
                return _NONE
            case nodes.Filter(node=nodes.Node() as inner) | nodes.Call(node=inner):
                for argument in (*node.args, *node.kwargs):
                    self._use(argument, there)
                return self._missing(inner, there)
            case nodes.Getattr() | nodes.Getitem():
                return self._all(node.iter_child_nodes(), there)
            case nodes.Or():
                left = self._missing(node.left, there)
                right = self._missing(node.right, there | self._there_unless(node.left))
                return _NONE if left else right
            case nodes.And():
                left = self._missing(node.left, there)
                return left | self._missing(node.right, there | self._there_if(node.left))
            case nodes.CondExpr():
                self._missing(node.test, there)
                then = self._missing(node.expr1, there | self._there_if(node.test))
                other = self._missing(node.expr2, there | self._there_unless(node.test)) if node.expr2 else _NONE
                return then | other
            case nodes.Not() | nodes.Test():
                self._missing(node.node, there)
                return _NONE
            case nodes.Compare() if _asks_for_nothing(node):
                self._missing(node.expr, there)
                return _NONE
            case nodes.Compare() | nodes.Concat():
                for part in node.iter_child_nodes():
                    self._use(part, there)
                return _NONE
            case _:
                return self._all(node.iter_child_nodes(), there)

    def _all(self, parts: Iterable[nodes.Node], there: Names) -> Names:
        return _NONE.union(*(self._missing(part, there) for part in parts))

    def _there_if(self, test: nodes.Node) -> Names:
        """Name what is there where a condition holds."""
        match test:
            case nodes.And():
                return self._there_if(test.left) | self._there_if(test.right)
            case nodes.Or():
                return self._there_if(test.left) & self._there_if(test.right)
            case nodes.Not():
                return self._there_unless(test.node)
            case nodes.Test(name=name) if name in _ASKING:
                return self._asked(test.node) if name == "defined" else _NONE
            case nodes.Compare() if _asks_for_nothing(test):
                return self._asked(test.expr) if test.ops[0].op == "ne" else _NONE
            case _:
                return self._asked(test)

    def _there_unless(self, test: nodes.Node) -> Names:
        """Name what is there where a condition does not hold."""
        match test:
            case nodes.Or():
                return self._there_unless(test.left) | self._there_unless(test.right)
            case nodes.Not():
                return self._there_if(test.node)
            case nodes.Test(name=name) if name in _ASKING - {"defined"}:
                return self._asked(test.node)
            case nodes.Compare() if _asks_for_nothing(test):
                return self._asked(test.expr) if test.ops[0].op == "eq" else _NONE
            case _:
                return _NONE

    def _asked(self, node: nodes.Node) -> Names:
        """Name what an expression that is there was made of, the template's own variable included."""
        if (name := _variable(node)) is not None:
            return self.set_from.get(name, _NONE) | {name}
        match node:
            case nodes.Filter(name=name) if name in _FALLBACKS:
                return _NONE
            case nodes.Filter(node=nodes.Node() as inner) | nodes.Call(node=inner):
                return self._asked(inner)
            case nodes.Getattr(node=inner) | nodes.Getitem(node=inner):
                return self._asked(inner)
            case _:
                return _NONE


def _asks_for_nothing(node: nodes.Compare) -> bool:
    """Whether a comparison is `== ''` or `!= none`, which a missing value answers."""
    if len(node.ops) != 1 or node.ops[0].op not in {"eq", "ne"}:
        return False
    other = node.ops[0].expr
    return isinstance(other, nodes.Const) and other.value in ("", None)


def _variable(node: nodes.Node) -> str | None:
    """Name a variable of the context, or a column of the user, the row or the account."""
    match node:
        case nodes.Getattr(node=nodes.Name(name=("user" | "row" | "account") as table), attr=str(column)):
            return f"{table}.{column}"
        case nodes.Getitem(
            node=nodes.Name(name=("user" | "row" | "account") as table), arg=nodes.Const(value=str(column))
        ):
            return f"{table}.{column}"
        case nodes.Name(name=str(name), ctx="load"):
            return name
        case _:
            return None


def _targets(node: nodes.Node) -> Iterator[str]:
    return (name.name for name in (node, *node.find_all(nodes.Name)) if isinstance(name, nodes.Name))
