"""What a template sees of a missing value.

It can be tested (`or`, `default()`, `is defined`, `{% if name %}`), and what filters, methods and arithmetic make of it
is missing as well, so that a fallback may be at the end of a chain: `user.name|title or 'friend'`. Anything that needs
the value itself (printing, comparing) fails, and the failure has the value's name.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from skene_dagster.delivery.email.templates.columns import Row


class MissingValue(Exception):
    """An email needs a value that its user does not have; the argument is the value's name."""


class Missing(StrictUndefined):
    """A value that is not there."""

    __slots__ = ()
    # Jinja types what it refuses as functions that never return: hence the ignored types.

    @property
    def _undefined_message(self) -> str:
        if self._undefined_name is None:  # the first of no items
            return super()._undefined_message
        if self._undefined_obj is missing or (
            isinstance(self._undefined_obj, Row) and self._undefined_obj.has(str(self._undefined_name))
        ):
            return str(self._undefined_name)
        # What an item is looked up by may be a user's value, which no ledger and no log should hold.
        return "a part that a value does not have"

    def _itself(self, *_: object, **__: object) -> "Missing":
        return self

    def __getattr__(self, name: str) -> "Missing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        if not (other is None or other == "" or isinstance(other, Undefined)):
            self._fail_with_undefined_error()
        return True

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = StrictUndefined.__hash__  # type: ignore[assignment]
    __call__ = __getitem__ = __pos__ = __neg__ = _itself  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __pow__ = __rpow__ = _itself  # type: ignore[assignment]
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _itself  # type: ignore[assignment]


def let_through(environment: SandboxedEnvironment) -> None:
    """Let a missing value pass through every filter but the one that replaces it, and call it `none`, too."""
    for name, function in environment.filters.items():
        if name not in {"default", "d"}:
            environment.filters[name] = _of_what_is_there(function)
    environment.tests["none"] = lambda value: value is None or isinstance(value, Undefined)


def _of_what_is_there(function: Callable[..., Any]) -> Callable[..., Any]:
    position = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def filtered(*args: Any, **options: Any) -> Any:
        value = args[position]
        return value if isinstance(value, Undefined) else function(*args, **options)

    return filtered
