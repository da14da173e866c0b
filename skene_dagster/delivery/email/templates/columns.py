"""A user's columns, a condition's, and what skene.yaml describes, as templates see them: plain values, clean texts."""

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from uuid import UUID

from skene_dagster.delivery.email.headers import Unrenderable
from skene_dagster.settings.addresses import TURNS_TEXT

_PLAIN = (str, int, float, Decimal, date, time, timedelta, UUID)

_SURROGATE = re.compile("[\ud800-\udfff]")
_BINARY = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


class Row:
    """A user's columns, or a condition's, as templates see them: `user.name`, `user["name"]`, and nothing else.

    Not a dict: `user.items` is a column, never a method. A column that is NULL, or a text of nothing but white space,
    is not there.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> object:
        value = self._values[name]
        if isinstance(value, bytes):
            value = self._of_bytes(name, value)
        if isinstance(value, str):
            value = _clean(name, value)
            if not value.strip():
                raise KeyError(name)
        elif value is None:
            raise KeyError(name)
        elif not isinstance(value, _PLAIN):
            raise Unrenderable(f"the column {name} is not a plain value but {type(value).__name__}")
        return value

    def has(self, name: str) -> bool:
        """Whether it is a column's name, whatever the column holds."""
        return name in self._values

    def _of_bytes(self, name: str, value: bytes) -> str:
        try:
            # BINARY(n) fills a shorter value up with NUL.
            text = value.rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise _no_text(name) from None
        if _BINARY.search(text):
            raise _no_text(name)
        return text


class LinkRow(Row):
    """Columns as a link has them: bytes, such as a UUID, are written as everywhere else, in hex."""

    __slots__ = ()

    def _of_bytes(self, name: str, value: bytes) -> str:
        del name
        return value.hex()


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


def _clean(name: str, value: str) -> str:
    if value.isascii():
        return value
    if _SURROGATE.search(value):
        raise _no_text(name)
    return TURNS_TEXT.sub("", value)


def _no_text(name: str) -> Unrenderable:
    return Unrenderable(f"the column {name} is not valid UTF-8")
