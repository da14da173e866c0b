"""Judge where a moment is moved: an INTERVAL says a whole number, and nothing is added to a clock without one."""

import re

from sqlglot import exp

from skene_dagster.loops.dialect.quoting import string_value
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.time.clocks import AS_OF, AS_OF_DATE, FUNCTION
from skene_dagster.loops.dialect.time.intervals import COMPOSITE_UNITS, UNITS

_SHIFTS = frozenset(f"{FUNCTION}{name}" for name in ("DATE_ADD", "DATE_SUB", "ADDDATE", "SUBDATE"))
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")
_SECONDS = re.compile(r"\s*[+-]?\d+(\.\d{1,6})?\s*")


def refuse_interval(interval: exp.Interval, rewritten: Rewritten) -> None:
    """Refuse an INTERVAL that moves nothing, or that a server would read otherwise."""
    parent = interval.parent
    shifts = isinstance(parent, (exp.Add, exp.Sub)) and parent.expression is interval
    # MariaDB 10.11, TiDB 8.5, 2026-11: `INTERVAL 7 DAY + x < y` selects different rows.
    if not (
        shifts or isinstance(parent, exp.WindowSpec) or (isinstance(parent, exp.Anonymous) and parent.name in _SHIFTS)
    ):
        raise Refusal(
            "An INTERVAL is not added to or subtracted from anything.",
            "Write x + INTERVAL 7 DAY, or x - INTERVAL 7 DAY.",
        )
    number, unit = interval.this, interval.text("unit").upper()
    if unit not in UNITS:
        advice = "Write INTERVAL 7 DAY or INTERVAL '7 days'."
        raise Refusal(f"INTERVAL … {unit} cannot be used.".replace("  ", " "), advice)
    if not isinstance(number, exp.Literal) or unit in COMPOSITE_UNITS:
        return
    text = string_value(number, rewritten)
    shown = number.name if text is None else f"'{text}'"
    # MySQL reads '7 days' DAY as 7 by its numeric prefix, and rounds 1.5 DAY to 2.
    if not (_SECONDS if unit == "SECOND" else _WHOLE).fullmatch(number.name if text is None else text):
        raise Refusal(f"INTERVAL {shown} {unit} is not a whole number.", f"Write a whole number: INTERVAL 7 {unit}.")


def refuse_numbers_from_clock(node: exp.Add | exp.Sub) -> None:
    """Refuse `NOW() - 7`."""
    for side, other in ((node.this, node.expression), (node.expression, node.this)):
        if (
            isinstance(side, exp.Placeholder)
            and side.name in (AS_OF, AS_OF_DATE)
            and not isinstance(other, exp.Interval)
        ):
            raise Refusal(
                "NOW() is added to, or subtracted from, without an INTERVAL; MySQL would compute with a number.",
                "Write NOW() - INTERVAL 7 DAY, or DATEDIFF(a, b), TIMESTAMPDIFF(DAY, a, b).",
            )
