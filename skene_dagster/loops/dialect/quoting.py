"""Find what the author wrote for a part of the tree, and on which line."""

import re

from sqlglot import exp

from skene_dagster.loops.dialect.rewriting import STRING, TRIGGER_KEY, Rewritten
from skene_dagster.loops.dialect.scanner import Word
from skene_dagster.loops.dialect.time.clocks import AS_OF, AS_OF_DATE, FUNCTION

_LONGEST = 60
_BINDS = {AS_OF: "NOW()", AS_OF_DATE: "CURDATE()", TRIGGER_KEY: "$1"}


def string_of(literal: exp.Expr, rewritten: Rewritten) -> Word | None:
    """Find the string of the author's, or the hexadecimal value; None for anything else."""
    opaque = STRING.fullmatch(literal.name) if isinstance(literal, exp.Literal) else None
    return rewritten.strings[int(opaque[1])] if opaque else None


def string_value(literal: exp.Expr, rewritten: Rewritten) -> str | None:
    """Return what a string of the author's means; None for anything else."""
    word = string_of(literal, rewritten)
    return word.value if word else None


def line_of(node: exp.Expr, rewritten: Rewritten) -> int | None:
    """Return the line of a part, as near as it is known."""
    span = _span(node)
    return "".join(rewritten.judged).count("\n", 0, span[0]) + 1 if span else None


def as_written(node: exp.Expr, rewritten: Rewritten) -> str:
    """Quote what its author wrote for a part, shortened; or what stands around it."""
    span = _span(node)
    if span is None:
        return ""
    text = "".join(rewritten.judged)[span[0] : span[1] + 1]
    # sqlglot, 2026-11: it does not say where a call ends.
    return in_the_authors_words(text + ")" * (text.count("(") - text.count(")")), rewritten)


def word_for(name: str, node: exp.Expr, rewritten: Rewritten) -> str:
    """Call a part by its name, if that is a word of its author's; else quote them."""
    written = {word.upper() for word in re.findall(r"\w+", "".join(rewritten.judged))}
    if {*name.split()} <= written:
        return name
    around, quoted = node, as_written(node, rewritten)
    while re.fullmatch(r"\S*", quoted) and around.parent is not None:
        around = around.parent
        quoted = as_written(around, rewritten)
    return f"`{quoted}`" if quoted else "A part of the SQL"


def in_the_authors_words(text: str, rewritten: Rewritten, *, longest: int | None = _LONGEST) -> str:
    """Turn checked text into what its author wrote, shortened if it is longer than so many characters."""
    text = text.replace(f"{FUNCTION}FLOOR({FUNCTION}UNIX_TIMESTAMP(:{AS_OF}))", "UNIX_TIMESTAMP()")  # see `clocks`
    text = re.sub(rf"\b{FUNCTION}(?=[A-Z]\w*\b)", "", text)
    text = re.sub(r":(\w+)", lambda bind: _BINDS.get(bind[1], bind[0]), text)
    text = re.sub(rf"'(?:\$\.)?{STRING.pattern}'", lambda at: rewritten.strings[int(at[1])].text, text)
    # Between the words that are checked there is always a blank.
    text = re.sub(r"\s*\.\s*|(?<=\()\s+|\s+(?=[,)])|(?<=\w)\s+(?=\()", lambda at: at[0].strip(), text)
    text = " ".join(text.split())
    return text if longest is None or len(text) <= longest else f"{text[:longest]}…"


def _span(node: exp.Expr) -> tuple[int, int] | None:
    """Find the first and the last letter of a part, or of the nearest around it."""
    around: exp.Expr | None = node
    while around is not None:
        known = [inner.meta for inner in around.walk() if "start" in inner.meta]
        if known:
            return min(meta["start"] for meta in known), max(meta["end"] for meta in known)
        around = around.parent
    return None
