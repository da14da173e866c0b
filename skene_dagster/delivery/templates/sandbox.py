"""The Jinja2 environments that emails are rendered in: sandboxed, strict, and closed to everything but plain values."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

from jinja2 import StrictUndefined, Template, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skene_dagster.delivery.templates.headers import Unrenderable, is_link


class MissingValue(Exception):
    """An email needs a value that its user does not have; the argument is the value's name."""


class Missing(StrictUndefined):
    """A value that is not there: using it fails, and the failure is the value's name."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        # The first of no items has no name.
        return super()._undefined_message if self._undefined_name is None else str(self._undefined_name)


_SCALARS = (str, int, float, Decimal, date, time, timedelta, UUID, bytes)
_PRINTABLE = (str, int, float, Decimal, date, time, timedelta, UUID, Undefined)


class Row:
    """A user's columns, or a condition's, as templates see them: `user.name`, `user["name"]`, and nothing else.

    Not a dict: `user.items` is a column, never a method. NULL is a column that is not there.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> object:
        value = self._values[name]
        if value is None:
            raise KeyError(name)
        if not isinstance(value, _SCALARS):
            raise Unrenderable(f"the column {name} is no plain value but {type(value).__name__}")
        return value


class Described(Row):
    """A feature or a milestone as skene.yaml describes it: texts and numbers, and lists of such in turn.

    What is left out there is an empty text or list, so that `{% if example.link %}` asks for it.
    """

    __slots__ = ()

    def __getitem__(self, name: str) -> object:
        value = self._values[name]
        if isinstance(value, list):
            return [Described(item) if isinstance(item, dict) else item for item in value]
        return "" if value is None else value


def printable(value: Any) -> Any:
    """Let plain values through to the page; refuse None, bytes, lists, methods.

    Raises:
        Unrenderable: for what would be printed as Python's own notation.
    """
    if isinstance(value, _PRINTABLE):
        return value
    kind = "nothing" if value is None else f"no plain value but {type(value).__name__}"
    raise Unrenderable(f"an expression gives {kind}")


def _in_link(value: Any) -> Any:
    if isinstance(value, bytes):
        # A binary users key, such as a UUID, is written as everywhere else: in hex.
        return value.hex()
    return value if isinstance(value, Undefined) else quote(str(printable(value)), safe="")


def as_date(value: object, pattern: str = "%-d %B %Y") -> object:
    """Format a date, a moment or its ISO text: `{{ lastActivity|date("%-d %B") }}` gives `12 March`."""
    if isinstance(value, Undefined):
        return value
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
    if isinstance(value, Undefined):
        return value
    text = str(value).strip()
    if not is_link(text):
        raise Unrenderable("a link is no https:, http: or mailto: address")
    return text


# They print markup that nobody escaped, reach into objects, or give another answer each time.
_NO_FILTERS = ("safe", "attr", "pprint", "random", "tojson", "urlize", "xmlattr")


def _environment(*, html: bool, finalize: Callable[[Any], Any]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=html,
        undefined=Missing,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals = {"range": environment.globals["range"]}
    for name in _NO_FILTERS:
        del environment.filters[name]
    environment.filters["date"] = as_date
    environment.filters["url"] = as_link
    return environment


def compiled(environment: ImmutableSandboxedEnvironment, source: str) -> Template:
    """Compile a template.

    Raises:
        jinja2.TemplateSyntaxError: it is none.
    """
    template = environment.from_string(source)
    # Jinja 3.1, 2026-11: a template's globals are a ChainMap, walked at each rendering; a dict saves a quarter of it.
    template.globals = dict(template.globals)
    return template


HTML = _environment(html=True, finalize=printable)
TEXT = _environment(html=False, finalize=printable)
LINK = _environment(html=False, finalize=_in_link)
"""Text of which every value is percent-encoded: the unsubscribe address."""
