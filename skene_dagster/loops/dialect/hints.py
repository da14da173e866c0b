"""Optimizer hints that may be passed on to the server, because they change how a query runs, not what it selects."""

import re
from collections.abc import Iterator

from skene_dagster.loops.dialect.scanner import Refusal, Word
from skene_dagster.loops.dialect.vocabulary import words

HINTS = words("""
    AGG_TO_COP BROADCAST_JOIN FORCE_INDEX HASH_AGG HASH_JOIN HASH_JOIN_BUILD HASH_JOIN_PROBE IGNORE_INDEX
    IGNORE_PLAN_CACHE INDEX_HASH_JOIN INDEX_JOIN INDEX_MERGE_JOIN INL_HASH_JOIN INL_JOIN INL_MERGE_JOIN LEADING
    LIMIT_TO_COP MAX_EXECUTION_TIME MEMORY_QUOTA MERGE MERGE_JOIN MPP_1PHASE_AGG MPP_2PHASE_AGG NO_DECORRELATE
    NO_HASH_JOIN NO_INDEX_HASH_JOIN NO_INDEX_JOIN NO_INDEX_MERGE NO_INDEX_MERGE_JOIN NO_MERGE_JOIN NO_ORDER_INDEX
    NO_SWAP_JOIN_INPUTS NTH_PLAN ORDER_INDEX QB_NAME QUERY_TYPE READ_CONSISTENT_REPLICA READ_FROM_STORAGE
    RESOURCE_GROUP SEMI_JOIN_REWRITE SHUFFLE_JOIN STRAIGHT_JOIN STREAM_AGG SWAP_JOIN_INPUTS USE_CASCADES USE_INDEX
    USE_INDEX_MERGE USE_PLAN_CACHE USE_TOJA
    """)
"""Those of TiDB 8.5 (its hint parser, 2026-11). MAX_EXECUTION_TIME is MySQL's, too; MariaDB reads all as comments."""

_HINT = re.compile(r"(?:\s*,)?\s*([A-Za-z_]\w*)\s*\(([^()]*)\)\s*,?", re.ASCII)
_ARGUMENTS = re.compile(r"[\w\s@.,=\[\]`]*")


def check_hints(word: Word, before: Word | None) -> None:
    """Refuse hints where a server would not look for them, and those that are not known.

    Raises:
        Refusal: such a hint.
    """
    if before is None or before.upper != "SELECT":
        raise Refusal(f"{word.text} is where no server reads it.", "Write it directly after SELECT.", word.line)
    for name, arguments in _named(word):
        if name.upper() == "SET_VAR":
            raise Refusal("The hint SET_VAR cannot be used.", "It changes what the SQL means. Remove it.", word.line)
        if name.upper() not in HINTS:
            raise Refusal(f"{name} is not a hint that TiDB has.", "Remove it, or write one of TiDB's hints.", word.line)
        if _ARGUMENTS.fullmatch(arguments) is None:
            raise Refusal(f"The hint {name}({arguments}) cannot be read.", "Write names and numbers.", word.line)


def _named(word: Word) -> Iterator[tuple[str, str]]:
    text = word.text[3:-2].strip()
    at = 0
    while at < len(text):
        found = _HINT.match(text, at)
        if found is None:
            raise Refusal(
                f"The hint {text[at:]!r} cannot be read.", "Write its name and parentheses: HASH_JOIN(u, o).", word.line
            )
        yield found[1], found[2]
        at = found.end()
