"""Refuse words, by name and with advice, before anything is parsed."""

from itertools import pairwise

from skene_dagster.codes import Code
from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.scanner import Refusal, Word

_MOST_DIGITS = 65
_LARGEST_EXPONENT = "308"


def refuse_other_statements(words: list[Word]) -> None:
    """Refuse what is not exactly one SELECT, by what it is."""
    if not words:
        raise Refusal("The query is empty.", "Write one SELECT of the users.", code=Code.ONE_SELECT)
    first = next((word for word in words if word.text != "("), words[0])
    if first.upper not in ("SELECT", "WITH"):
        does = known.STATEMENTS.get(first.upper)
        if first.upper == "TABLE" and len(words) > 1:
            raise Refusal(
                "TABLE is not a SELECT.", f"Write SELECT * FROM {words[1].text}.", first.line, code=Code.ONE_SELECT
            )
        what = f"{first.upper} {does}" if does else f"The query begins with {first.text}"
        raise Refusal(
            f"{what}.", "A condition is exactly one SELECT, which only reads.", first.line, code=Code.ONE_SELECT
        )


def refuse_second_statement(words: list[Word]) -> None:
    """Refuse what stands behind a semicolon."""
    for word, following in pairwise(words):
        if word.upper == ";":
            raise Refusal(
                f"There is a second statement after the semicolon: {following.text} …",
                "Remove it.",
                following.line,
                code=Code.ONE_SELECT,
            )


def refuse_number(word: Word) -> None:
    """Refuse a number that no database can hold: MySQL, 2026-11, refuses some of them and cuts others off."""
    digits, _, exponent = word.text.upper().partition("E")
    magnitude = exponent.lstrip("+-0")
    # It may have more digits than Python makes an integer of.
    if (len(magnitude), magnitude) > (len(_LARGEST_EXPONENT), _LARGEST_EXPONENT):
        raise Refusal(f"{word.text[:40]} is outside the range of numbers.", "Write another.", word.line)
    if len(digits) > _MOST_DIGITS:
        raise Refusal(
            f"{word.text[:20]}… has {len(digits):,} digits; a number has {_MOST_DIGITS} at most.",
            "Write a string.",
            word.line,
        )


def refuse_function(words: list[Word], at: int) -> None:
    """Refuse the function that is called here, unless it is a known one that only computes."""
    word = words[at]
    upper = word.upper
    if upper in known.REFUSED_FUNCTIONS:
        raise Refusal(f"{upper}() cannot be used.", known.REFUSED_FUNCTIONS[upper], word.line, code=Code.FUNCTION)
    if upper in known.REFUSED_WORDS:
        raise Refusal(f"{upper} cannot be used.", known.REFUSED_WORDS[upper], word.line)
    if upper not in known.FUNCTIONS:
        raise Refusal(
            f"{word.text}() is not a supported function.", "Use MySQL's built-in ones.", word.line, code=Code.FUNCTION
        )


def refuse_word(word: Word, before: Word | None, after: Word | None) -> None:
    """Refuse a word that no condition uses, given the words beside it."""
    upper = word.upper
    previous = before.upper if before else ""
    following = after.upper if after else ""
    if upper == "OF" and previous == "AS":
        raise Refusal("AS OF TIMESTAMP cannot be used.", "A condition reads what exists at the tick.", word.line)
    if upper == "DISTINCT" and previous in ("IS", "NOT"):
        raise Refusal("IS DISTINCT FROM cannot be used.", "Write NOT (a <=> b).", word.line)
    if upper == "NULLS" and following in ("FIRST", "LAST"):
        instead = "x IS NULL, x" if following == "LAST" else "x IS NOT NULL, x"
        raise Refusal(f"NULLS {following} cannot be used.", f"Write ORDER BY {instead}.", word.line)
    if upper == "FOR" and following not in ("UPDATE", "SHARE"):
        raise Refusal("FOR cannot be used.", "Remove it.", word.line)
    if upper in known.REFUSED_WORDS:
        shown = f"{upper} {following}" if upper == "FOR" else upper
        raise Refusal(f"{shown} cannot be used.", known.REFUSED_WORDS[upper], word.line)
    if upper in known.STATEMENTS and upper in known.RESERVED and upper not in known.GRAMMAR:
        raise Refusal(
            f"{upper} {known.STATEMENTS[upper]}.", "A condition is exactly one SELECT, which only reads.", word.line
        )
    if upper in known.RESERVED and upper not in known.GRAMMAR:
        raise Refusal(
            f"{upper} cannot be used.", f"It is a reserved word; if it is a name, write `{word.text}`.", word.line
        )
    if word.text[0].isdigit():
        raise Refusal(
            f"{word.text} is neither a number nor a name.", f"If it is a name, write `{word.text}`.", word.line
        )
