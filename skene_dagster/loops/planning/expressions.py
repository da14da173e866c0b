"""Personalization: texts with `{{user.column}}` and `{{row.column}}` in them, read to know which columns they need."""

import re
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes

from skene_dagster.codes import Code
from skene_dagster.documents import cut, shown
from skene_dagster.errors import LoopInvalid, Place

_SYNTAX = Environment(autoescape=True)
_WRITE = "Write {{user.x}} for a column of the users table, {{row.x}} for a column of the query."
_OF_OTHER_LANGUAGES = (
    (r"\|\||\?\?", "Write `or` instead: x or 'there'."),
    (r"&&", "Write `and` instead."),
    (r"\|\s*default\s*:", "Write it with brackets: x|default('there')."),
    (r"\{\{\{", "Write two braces."),
    (r"\{\{\s*[#/]\s*(if|each|unless|with)\b", "Write {% if … %} … {% endif %}, {% for … in … %} … {% endfor %}."),
)


@dataclass(frozen=True)
class Columns:
    """The columns that a text reads."""

    user: frozenset[str]
    row: frozenset[str]
    account: frozenset[str] = frozenset()


def columns_of(text: str, place: Place) -> Columns:
    """Find the columns that the expressions of a text read.

    Raises:
        LoopInvalid: it cannot be read, holds statements (`{% … %}`), or names anything but `user.x`, `row.x` and
            `account.x`.
    """
    try:
        template = _SYNTAX.parse(text)
    except TemplateSyntaxError as bad:
        said = f"The expression cannot be read: {cut(bad.message or '')}."
        raise LoopInvalid(said, advice=in_jinja(text) or _WRITE, place=place, code=Code.EXPRESSION) from None
    except RecursionError:
        raise LoopInvalid(
            "The expression is nested too deeply.", advice=_WRITE, place=place, code=Code.EXPRESSION
        ) from None
    if any(not isinstance(node, nodes.Output) for node in template.body):
        raise LoopInvalid(
            "Only {{ … }} may be used here.",
            advice="Statements belong in the template.",
            place=place,
            code=Code.EXPRESSION,
        )
    found: dict[str, set[str]] = {"user": set(), "row": set(), "account": set()}
    read: set[int] = set()
    for node in template.find_all((nodes.Getattr, nodes.Getitem)):
        assert isinstance(node, nodes.Getattr | nodes.Getitem)
        if isinstance(node.node, nodes.Name) and node.node.name in found:
            found[node.node.name].add(_column(node, place))
            read.add(id(node.node))
    for name in template.find_all(nodes.Name):
        if id(name) not in read:
            raise LoopInvalid(
                f"{shown(name.name)} is not something that an email can show.",
                advice=_WRITE,
                place=place,
                code=Code.EXPRESSION,
            )
    return Columns(*(frozenset(found[table]) for table in ("user", "row", "account")))


def in_jinja(text: str) -> str:
    """Suggest the Jinja for something written as in JavaScript, Liquid or Handlebars; otherwise nothing."""
    return next((advice for pattern, advice in _OF_OTHER_LANGUAGES if re.search(pattern, text)), "")


def _column(node: nodes.Getattr | nodes.Getitem, place: Place) -> str:
    column = (
        node.attr if isinstance(node, nodes.Getattr) else node.arg.value if isinstance(node.arg, nodes.Const) else None
    )
    if isinstance(column, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", column):
        return column
    raise LoopInvalid("The column's name must be written out.", advice=_WRITE, place=place, code=Code.EXPRESSION)
