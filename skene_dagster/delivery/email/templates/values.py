"""Personalization values: texts with expressions, such as `{{user.name}}`, that give a template its names."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache

from jinja2 import Undefined, UndefinedError

from skene_dagster.delivery.email.templates.columns import Row
from skene_dagster.delivery.email.templates.sandbox import TEXT, compiled

# What nearly every value is; Jinja comes to the same, ten times as slowly (2026-11).
_COLUMN = re.compile(r"(user|row)\.([A-Za-z]\w*)", re.ASCII)


@lru_cache(maxsize=1024)
def compile_value(text: str) -> Callable[[Mapping[str, object]], object]:
    """Compile one value's text.

    An expression alone gives what it evaluates to (a moment stays a moment, so that the template can format it); text
    around it gives a string. A value that needs what its user does not have is missing itself: None.

    Raises:
        jinja2.TemplateSyntaxError: for what is no expression.
    """
    expression = _alone(text)
    if expression is not None:
        column = _COLUMN.fullmatch(expression.strip())
        if column is not None:
            table, name = column.groups()
            return lambda context: _column(context[table], name)
        evaluate = TEXT.compile_expression(expression, undefined_to_none=False)
        return lambda context: _or_none(lambda: evaluate(context))
    template = compiled(TEXT, text)
    return lambda context: _or_none(lambda: template.render(context))


def _alone(text: str) -> str | None:
    tokens = [(kind, value) for _, kind, value in TEXT.lex(text.strip())]
    kinds = [kind for kind, _ in tokens]
    if kinds[:1] != ["variable_begin"] or kinds.index("variable_end") != len(kinds) - 1:
        return None
    return "".join(value for _, value in tokens[1:-1])


def _column(row: object, name: str) -> object:
    assert isinstance(row, Row)
    with suppress(KeyError):
        return row[name]
    return None


def _or_none(evaluate: Callable[[], object]) -> object:
    try:
        value = evaluate()
    except UndefinedError:
        return None
    return None if isinstance(value, Undefined) else value
