"""Turn the author's words into the text for servers, and into the text that sqlglot checks.

A server gets the author's own words. Only a closed list of them is replaced: PostgreSQL's intervals, the clock
functions and `$1`; comments are left out. Nothing is generated from a parse tree, for sqlglot drops and rewrites what
it knows better (2026-11: HIGH_PRIORITY vanishes, FULL JOIN becomes a UNION, TO_DAYS() becomes a difference).

sqlglot sees the same words with strings and functions made opaque (`'skene_s3'`, `f_CONCAT(…)`), so that there is
nothing for it to reinterpret, and everything that it dropped can be counted.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.hints import check_hints
from skene_dagster.loops.dialect.scanner import Refusal, Word
from skene_dagster.loops.dialect.time.clocks import FUNCTION, clock, is_clock
from skene_dagster.loops.dialect.time.intervals import UNITS, postgres_terms
from skene_dagster.loops.dialect.words import (
    refuse_function,
    refuse_number,
    refuse_other_statements,
    refuse_second_statement,
    refuse_word,
)

TRIGGER_KEY = "trigger_key"
OPAQUE = "skene_s"
"""How the strings begin that sqlglot is shown; a name in backticks must not be taken for one."""
STRING = re.compile(rf"{OPAQUE}(\d+)")

# sqlglot reads a parenthesis in some seventeen calls; Python allows a thousand.
_DEEPEST = 25
_OPERAND_ENDS = frozenset(("word", "quoted", "string", "hex", "number"))


@dataclass
class Rewritten:
    """The two texts, and what sqlglot must account for."""

    server: list[str] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)
    strings: list[Word] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    binds: set[str] = field(default_factory=set)
    line: int = 1
    """The line that `judged` has come to: its lines are those of the author's file."""


def rewrite(words: list[Word]) -> Rewritten:
    """Check every word of a SELECT against the closed lists, and write both texts.

    Raises:
        Refusal: a word, function or operator that no condition uses.
    """
    refuse_other_statements(words)
    return rewrite_part(words)


def rewrite_part(words: list[Word]) -> Rewritten:
    """Check every word of a part of a SELECT, whose parentheses match, and write both texts; see `rewrite`."""
    refuse_second_statement(words)
    done = Rewritten()
    inside: list[str] = []
    opened: list[int] = []
    position = 0
    while position < len(words):
        word = words[position]
        before = words[position - 1] if position else None
        after = words[position + 1] if position + 1 < len(words) else None
        if word.upper == "(":
            inside.append(before.upper if before else "")
            opened.append(word.line)
        elif word.upper == ")":
            if not inside:
                raise Refusal("A parenthesis is closed that was never opened.", "Remove it.", word.line)
            inside.pop()
            opened.pop()
        if len(inside) > _DEEPEST:
            raise Refusal(f"Parentheses are nested deeper than {_DEEPEST}.", "Use WITH to name the parts.", word.line)
        position += _rewrite_at(words, position, before, after, inside[-1] if inside else "", done)
    if opened:
        raise Refusal("A parenthesis is opened and not closed.", "Close it.", opened[-1])
    return done


def _rewrite_at(
    words: list[Word], at: int, before: Word | None, after: Word | None, inside: str, done: Rewritten
) -> int:
    """Write the word at a position, and whatever belongs to it; return how many words that were."""
    word = words[at]
    match word.kind:
        case "string":
            _string(word, before, done)
        case "hex":
            _write(done, word, judged=f"'{_opaque(word, done)}'")
        case "number":
            refuse_number(word)
            done.numbers[number_value(word.text)] += 1
            _write(done, word)
        case "quoted":
            if after and after.upper == "(" and not _names_columns(words, at):
                raise Refusal(f"{word.text}() is a stored function.", "Only built-in functions can be used.", word.line)
            done.names[word.value.casefold()] += 1
            _write(done, word)
        case "hint":
            check_hints(word, before)
            _write(done, word, judged="")
        case "operator":
            _operator(word, before, after, done)
        case "word":
            if before and before.upper == ".":
                return _name(word, after, done)
            return _word(words, at, before, after, inside, done)
    return 1


def _write(done: Rewritten, word: Word, *, server: str | None = None, judged: str | None = None) -> None:
    text = word.text.replace(":", r"\:") if server is None else server
    done.server.append(word.before + text)
    written = word.text if judged is None else judged
    done.judged.append(("\n" * (word.line - done.line) or " ") + written)
    done.line = max(done.line, word.line) + written.count("\n")


def number_value(text: str) -> str:
    """Return the magnitude of a number, written one way: sqlglot writes `.5` as `0.5` and keeps some signs."""
    return str(abs(Decimal(text)).normalize())


def _string(word: Word, before: Word | None, done: Rewritten) -> None:
    if before and before.kind == "string":
        raise Refusal(
            "Two strings are next to each other.", "Write CONCAT(a, b), or double the quote inside.", word.line
        )
    if before and not word.before and re.fullmatch(r"_\w+|[nN]", before.text):
        raise Refusal(
            f"{before.text}{word.text}: a string cannot have a character set here.",
            "Write the string alone.",
            word.line,
        )
    opaque = _opaque(word, done)
    # sqlglot reads what follows an arrow as a JSON path; a path may be a name.
    after_arrow = before is not None and before.upper in ("->", "->>")
    _write(done, word, judged=f"'$.{opaque}'" if after_arrow else f"'{opaque}'")


def _opaque(word: Word, done: Rewritten) -> str:
    done.strings.append(word)
    return f"{OPAQUE}{len(done.strings) - 1}"


def _operator(word: Word, before: Word | None, after: Word | None, done: Rewritten) -> None:
    if word.text in known.REFUSED_OPERATORS:
        shown = f"{word.text}{after.text}" if after and word.text in (":", "@", "@@") else word.text
        raise Refusal(f"{shown} cannot be used.", known.REFUSED_OPERATORS[word.text], word.line)
    if word.text == "%" and after and not after.before and not _ends_operand(before):
        raise Refusal(f"%{after.text} cannot be used.", "Placeholders are not filled in. Write the value.", word.line)
    _write(done, word)


def _ends_operand(word: Word | None) -> bool:
    if word is None or word.upper in known.GRAMMAR:
        return False
    return word.kind in _OPERAND_ENDS or word.text == ")"


def _name(word: Word, after: Word | None, done: Rewritten) -> int:
    if after and after.upper == "(":
        raise Refusal(f".{word.text}() is a stored function.", "Only built-in functions can be used.", word.line)
    done.names[word.text.casefold()] += 1
    _write(done, word)
    return 1


def _word(words: list[Word], at: int, before: Word | None, after: Word | None, inside: str, done: Rewritten) -> int:
    word = words[at]
    upper = word.upper
    called = after is not None and after.upper == "("
    if word.text.startswith("$"):
        return _trigger_key(word, done)
    if is_clock(words[at : at + 4], called=called):
        return _clock(words, at, called=called, done=done)
    if upper == "INTERVAL" and after and after.kind == "string":
        unit = words[at + 2].upper if at + 2 < len(words) else ""
        if unit not in UNITS:
            return _postgres_interval(words, at, before, after, done)
    if upper == "INTERVAL" and called:
        # TiDB, 2026-11: INTERVAL ( … ) is the function INTERVAL(), whatever follows.
        advice = "Write INTERVAL days * 2 DAY, without parentheses; for the function INTERVAL() write CASE WHEN."
        raise Refusal("INTERVAL (…) cannot be used.", advice, word.line)
    if upper in ("DATE", "TIME", "TIMESTAMP") and after and after.kind == "string":
        _write(done, word, judged="")
        _write(done, after, judged=f"{FUNCTION}{upper}('{_opaque(after, done)}')")
        return 2
    is_type = (before is not None and before.upper == "AS" and inside == "CAST") or (
        before is not None and before.upper == "," and inside == "CONVERT"
    )
    if is_type:
        return _type(word, done)
    judged = _in_its_place(upper, before, after, inside)
    if judged is not None:
        _write(done, word, judged=judged)
        return 1
    if called and upper not in known.BEFORE_PARENTHESIS and not _names_columns(words, at):
        return _function(words, at, done)
    refuse_word(word, before, after)
    if upper not in known.GRAMMAR:
        done.names[word.text.casefold()] += 1
    _write(done, word)
    return 1


def _in_its_place(upper: str, before: Word | None, after: Word | None, inside: str) -> str | None:
    """Say what is checked in the place of a word that servers read and sqlglot, 2026-11, does not."""
    previous = before.upper if before else ""
    match upper:
        case "FROM" | "FOR" if inside in ("SUBSTRING", "SUBSTR"):
            return ","
        case "ROW" if after is not None and after.upper == "(":
            return ""
        case "STRAIGHT_JOIN":
            return "" if previous == "SELECT" or (before is not None and before.kind == "hint") else "JOIN"
        case "INTEGER" if previous in ("SIGNED", "UNSIGNED"):
            return ""
    return None


def _trigger_key(word: Word, done: Rewritten) -> int:
    if word.text != "$1":
        raise Refusal(f"{word.text} cannot be used.", "Only $1, the key of the row that triggered, can.", word.line)
    done.binds.add(TRIGGER_KEY)
    _write(done, word, server=f":{TRIGGER_KEY}", judged=f":{TRIGGER_KEY}")
    return 1


def _clock(words: list[Word], at: int, *, called: bool, done: Rewritten) -> int:
    found = clock(words[at : at + 4], called=called)
    done.binds.add(found.bind)
    _write(done, words[at], server=found.server, judged=found.judged)
    return found.length


def _postgres_interval(words: list[Word], at: int, before: Word | None, text: Word, done: Rewritten) -> int:
    terms = postgres_terms(text.value, text.line)
    sign = before.text if before and before.text in ("+", "-") and at > 1 and _ends_operand(words[at - 2]) else ""
    if len(terms) > 1 and not sign:
        example = " - ".join(str(term) for term in terms)
        raise Refusal(
            f"INTERVAL {text.text} has several parts.", f"Subtract them one by one: x - {example}.", text.line
        )
    for term in terms:
        done.numbers[number_value(str(term.number))] += 1
    joined = f" {sign} ".join(map(str, terms))
    _write(done, words[at], server=joined, judged=joined)
    return 2


def _type(word: Word, done: Rewritten) -> int:
    if word.upper not in known.TYPES:
        raise Refusal(
            f"Nothing can be cast to {word.text}.", f"Use one of: {', '.join(sorted(known.TYPES))}.", word.line
        )
    _write(done, word)
    return 1


def _names_columns(words: list[Word], at: int) -> bool:
    """Whether `name (a, b)` begins a common table expression: WITH name (a, b) AS ( …"""
    depth = 0
    for position in range(at + 1, len(words)):
        depth += {"(": 1, ")": -1}.get(words[position].text, 0)
        if depth == 0:
            following = [word.upper for word in words[position + 1 : position + 3]]
            return following == ["AS", "("] and at > 0 and words[at - 1].upper in ("WITH", "RECURSIVE", ",")
    return False


def _function(words: list[Word], at: int, done: Rewritten) -> int:
    word = words[at]
    refuse_function(words, at)
    own_grammar = word.upper in known.OWN_GRAMMAR or (
        word.upper == "TRIM" and words[at + 2 : at + 3] and words[at + 2].upper in ("BOTH", "LEADING", "TRAILING")
    )
    _write(done, word, judged=word.text if own_grammar else f"{FUNCTION}{word.upper}")
    return 1
