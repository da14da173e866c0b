"""The clock functions: each says the run's time, typed, lest a server compute with a text."""

from dataclasses import dataclass

from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.scanner import Refusal, Word

AS_OF = "as_of"
AS_OF_DATE = "as_of_date"
FUNCTION = "f_"
"""How the functions begin that sqlglot is shown; see `rewriting`."""

_CLOCKS = known.NOW | known.TODAY | known.UTC_TODAY | known.TIME_OF_DAY | known.SECONDS
_NOW = f"CAST(:{AS_OF} AS DATETIME(6))"


@dataclass(frozen=True)
class Clock:
    """What stands for a clock function."""

    bind: str
    server: str
    judged: str
    length: int
    """How many words it takes the place of."""


def is_clock(words: list[Word], *, called: bool) -> bool:
    """Whether a clock function begins here; with an argument UNIX_TIMESTAMP() is none."""
    upper = words[0].upper
    if upper not in _CLOCKS or (not called and upper in known.NEED_PARENTHESES):
        return False
    return upper not in known.SECONDS or [word.text for word in words[2:3]] == [")"]


def clock(words: list[Word], *, called: bool) -> Clock:
    """Say what stands for the clock function that begins here.

    Raises:
        Refusal: it has arguments that it does not take.
    """
    word, length = words[0], 1
    if called:
        # Its parentheses, and what stands between them.
        inside = [inner.kind if inner.text != ")" else ")" for inner in words[2:]]
        length = 3 if inside[:1] == [")"] else 4
        if length == 4 and inside != ["number", ")"]:
            raise Refusal(f"{word.upper}() accepts only a number of digits.", f"Write {word.upper}().", word.line)
    if word.upper in known.NOW:
        return Clock(AS_OF, _NOW, f":{AS_OF}", length)
    if word.upper in known.TODAY:
        return Clock(AS_OF_DATE, f"CAST(:{AS_OF_DATE} AS DATE)", f":{AS_OF_DATE}", length)
    if word.upper in known.TIME_OF_DAY:
        return Clock(AS_OF, f"TIME({_NOW})", f"{FUNCTION}TIME(:{AS_OF})", length)
    if word.upper in known.SECONDS:
        # Whole seconds, as a server says them.
        judged = f"{FUNCTION}FLOOR({FUNCTION}UNIX_TIMESTAMP(:{AS_OF}))"
        return Clock(AS_OF, f"FLOOR(UNIX_TIMESTAMP({_NOW}))", judged, length)
    return Clock(AS_OF, f"DATE({_NOW})", f"{FUNCTION}DATE(:{AS_OF})", length)
