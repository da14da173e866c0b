"""The Jinja2 environments that emails are rendered in: sandboxed, strict, and closed to everything but plain values."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from jinja2 import Template, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skene_dagster.delivery.email.graphemes import cut
from skene_dagster.delivery.email.headers import Unrenderable
from skene_dagster.delivery.email.templates import bounds
from skene_dagster.delivery.email.templates.missing import Missing, let_through
from skene_dagster.delivery.email.templates.trees import check_tree
from skene_dagster.settings.addresses import is_link

_PRINTABLE = (str, int, float, Decimal, date, time, timedelta, UUID, Undefined)


def printable(value: Any) -> Any:
    """Let plain values through to the page; refuse None, bytes, lists, methods.

    Raises:
        Unrenderable: for what would be printed as Python's own notation.
    """
    if isinstance(value, _PRINTABLE):
        return value
    kind = "nothing" if value is None else f"not a plain value but {type(value).__name__}"
    raise Unrenderable(f"an expression gives {kind}")


def _in_link(value: Any) -> Any:
    return value if isinstance(value, Undefined) else quote(str(printable(value)), safe="")


def as_date(value: object, pattern: str = "%-d %B %Y") -> object:
    """Format a date, a moment or its ISO text: `{{ lastActivity|date("%-d %B") }}` gives `12 March`."""
    moment = value
    if isinstance(value, str):
        # SQLite, 2026-11: has no type for dates, so they arrive as text.
        try:
            moment = datetime.fromisoformat(value.strip().removesuffix("Z"))
        except ValueError:
            moment = None
    if not isinstance(moment, date):
        raise Unrenderable("a value given to |date is not a date")
    # `%-d` is a GNU extension of strftime; elsewhere it is unknown.
    return moment.strftime(pattern.replace("%-d", str(moment.day)))


def as_link(value: object) -> object:
    """Let an https:, http: or mailto: address through; anything else would be a way to run `javascript:`."""
    text = str(value).strip()
    if not is_link(text):
        raise Unrenderable("a link is not an https:, http: or mailto: address")
    return text


def truncate(text: str, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5) -> str:
    """Cut a text as Jinja's own filter does, but never inside a grapheme."""
    if len(text) <= length + leeway:
        return text
    kept = cut(text, max(length - len(end), 0))
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


# They print markup that nobody escaped, reach into objects, or give another answer each time.
_NO_FILTERS = ("safe", "attr", "pprint", "random", "tojson", "urlize", "xmlattr")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which nothing costs more than `bounds` says."""

    context_class = bounds.Account
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(bounds.joined)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        try:
            tree = super()._parse(source, name, filename)
        except RecursionError:
            raise TemplateSyntaxError("It is nested too deeply.", 1) from None
        except ValueError:
            # Jinja 3.1, 2026-11: reads a number as Python does, which refuses more than 4,300 digits.
            raise TemplateSyntaxError("A number is too large.", 1) from None
        check_tree(tree)
        return tree

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(bounds.Charged().visit(source), *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        return bounds.operate(context, operator, left, right, self.binop_table[operator])

    def call(self, __context: Any, __obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        __context.charge(*args, *kwargs.values())
        bounds.look_at_call(__obj, args)
        return __context.charged(super().call(__context, __obj, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return super().is_safe_attribute(obj, attr, value) and bounds.is_method(obj, attr)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        formatted = super().wrap_str_format(value)
        if formatted is not None:
            bounds.look_at_pattern(value.__self__)
        return formatted


def _environment(*, html: bool, finalize: Callable[[Any], Any]) -> Sandbox:
    @pass_context
    def charged(context: bounds.Account, value: Any) -> Any:
        context.charge(value)
        return finalize(value)

    environment = Sandbox(
        autoescape=html,
        undefined=Missing,
        finalize=charged,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals = {"range": environment.globals["range"]}
    for name in _NO_FILTERS:
        del environment.filters[name]
    environment.filters["date"] = as_date
    environment.filters["url"] = as_link
    environment.filters["truncate"] = truncate
    for table in (environment.filters, environment.tests):
        for name in list(table):
            table[name] = bounds.bounded(cast("Callable[..., Any]", table[name]), name)
    let_through(environment)
    environment.filters |= bounds.OURS
    return environment


def compiled(environment: ImmutableSandboxedEnvironment, source: str) -> Template:
    """Compile a template.

    Raises:
        jinja2.TemplateSyntaxError: it is none.
    """
    try:
        template = environment.from_string(source)
    except (SyntaxError, RecursionError, MemoryError):
        # What Jinja makes of it is Python with limits of its own.
        raise TemplateSyntaxError("It is nested too deeply.", 1) from None
    # Jinja 3.1, 2026-11: a template's globals are a ChainMap, walked at each rendering; a dict saves a quarter of it.
    template.globals = dict(template.globals)
    return template


HTML = _environment(html=True, finalize=printable)
TEXT = _environment(html=False, finalize=printable)
LINK = _environment(html=False, finalize=_in_link)
"""Text of which every value is percent-encoded: the unsubscribe address."""
