"""Limits on what a filter may make of its arguments, checked before it runs: too much is refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from skene_dagster.delivery.email.headers import Unrenderable

LONGEST = 300_000
"""Characters of any text: three times the HTML that Gmail shows."""
MOST_WORK = 200_000
"""Steps of an email: an iteration of a loop, a call, an operation; or 32 characters, or an item, of its operands."""
WIDEST = 1000
"""Characters to which a text is filled up."""
USUAL_WIDTH = 79
"""Characters of a line where a template does not say: Jinja's own."""
LONGEST_WORD = 10_000
"""Characters of a word that is cut into lines."""

# What may follow a %: a name, flags, a width and a precision; too wide, or a name that has a % itself.
_TOO_WIDE = re.compile(r"(?:\([^)]*\))?[#0 +-]*(?:[1-9][0-9]{3}|\*|(?:[1-9][0-9]{0,2})?\.(?:[0-9]{4}|\*))|\([^)]*\Z")
CONTAINERS = (list, tuple, set, frozenset, dict, range)


def too_long() -> Unrenderable:
    return Unrenderable(f"an expression gives more than {LONGEST:,} characters")


# The parameters are called what Jinja calls them: a template may name them.


def _wide(value: object, width: object = None, *_: object, **__: object) -> object:
    if isinstance(width, int) and not 0 < width <= WIDEST:
        raise Unrenderable(f"a string is padded to more than {WIDEST:,} characters")
    return value


def _look_at_batch(value: object, linecount: object = None, *_: object, **__: object) -> object:
    return _wide(value, linecount)


def _look_at_slice(value: object, slices: object = None, *_: object, **__: object) -> object:
    return _wide(value, slices)


def _look_at_indent(value: object, width: object = 4, *_: object, **__: object) -> object:
    by = len(width) if isinstance(width, str) else width
    if isinstance(by, int) and not 0 <= by * _lines(value) <= LONGEST:
        raise too_long()
    return value


def _lines(value: object) -> int:
    """Count lines as Jinja does: they end as Python has it, not only with a line feed."""
    return len(f"{value}\n".splitlines())


def _look_at_wordwrap(value: object, width: object = USUAL_WIDTH, *args: Any, **kwargs: Any) -> object:
    by = kwargs.get("wrapstring", args[1] if len(args) > 1 else None) or "\n"
    if isinstance(width, int) and (width < 1 or (len(str(value)) // width + _lines(value)) * len(by) > LONGEST):
        raise too_long()
    if any(len(word) > LONGEST_WORD for word in str(value).split()):
        # Python copies what is left of a word for each line that it cuts off.
        raise Unrenderable(f"a word of more than {LONGEST_WORD:,} characters is cut into lines")
    return value


def width_of(width: object = USUAL_WIDTH, *_: object, **__: object) -> int:
    return width if isinstance(width, int) else USUAL_WIDTH


def look_at_join(value: Any, d: object = "", *_: object, **__: object) -> object:
    items = list(value)
    if any(isinstance(item, CONTAINERS) for item in items):
        raise Unrenderable("a list in a list is joined")
    if sum(len(str(item)) for item in items) + len(str(d)) * len(items) > LONGEST:
        raise too_long()
    return items


def _look_at_replace(value: object, old: object = "", new: object = "", *_: object, **__: object) -> object:
    text = str(value)
    times = text.count(str(old)) if str(old) else len(text) + 1
    if len(text) + times * len(str(new)) > LONGEST:
        raise too_long()
    return value


def _look_at_round(value: object, precision: object = None, *_: object, **__: object) -> object:
    if isinstance(precision, int) and abs(precision) > 30:
        raise Unrenderable("a number is rounded to more than 30 digits")
    return value


def look_at_format(pattern: Any, values: Any = (), *more: Any, **named: Any) -> Any:
    text = str(pattern)
    given = [*_inside(values), *more, *named.values()]
    if any(isinstance(one, CONTAINERS) for one in given):
        raise Unrenderable("a list is formatted as a string")
    widest = max((len(str(one)) for one in given), default=0)
    if (
        any(_TOO_WIDE.match(part) for part in text.split("%")[1:])
        or len(text) + text.count("%") * (widest + WIDEST) > LONGEST
    ):
        raise Unrenderable("a format is too wide")
    return pattern


def _inside(values: object) -> Iterator[object]:
    if isinstance(values, Mapping):
        yield from values.values()
    elif isinstance(values, tuple | list):
        yield from values
    else:
        yield values


def _as_text(value: object, *_: object, **__: object) -> object:
    if isinstance(value, CONTAINERS):
        raise Unrenderable("a list is used as a string")
    return value


_TEXTS = (
    *("capitalize", "e", "escape", "forceescape", "lower", "string"),
    *("striptags", "title", "trim", "truncate", "upper"),
)
LOOKS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys((*_TEXTS, "wordcount", "filesizeformat", "int", "float"), _as_text),
    "center": _wide,
    "batch": _look_at_batch,
    "slice": _look_at_slice,
    "indent": _look_at_indent,
    "wordwrap": _look_at_wordwrap,
    "join": look_at_join,
    "replace": _look_at_replace,
    "round": _look_at_round,
    "format": look_at_format,
    "+join": lambda by, items=(), *_: look_at_join(items, by),
}
METHODS = {
    "center": "center",
    "ljust": "center",
    "rjust": "center",
    "zfill": "center",
    "replace": "replace",
    "join": "+join",
}
