"""A query with `$1`: joined with the rows that triggered, so that it runs for all of them at once.

`SELECT * FROM actions WHERE user_id = $1` becomes `SELECT * FROM skene_trigger CROSS JOIN actions WHERE user_id =
skene_trigger.skene_row_key`; whoever runs it says what `skene_trigger` is. Neither TiDB nor MariaDB, 2026-11, has
LATERAL.
"""

from itertools import accumulate

from sqlglot import exp

from skene_dagster.loops.dialect.answers.by_key import is_aggregate
from skene_dagster.loops.dialect.rewriting import TRIGGER_KEY
from skene_dagster.loops.dialect.scanner import Refusal, Word

ROWS = "skene_trigger"
"""The rows that triggered, as the query knows them."""
ROW_KEY = "skene_row_key"
"""Their key: `$1`."""
ROW_AT = "skene_row_at"
"""Their moment."""

_PLAIN = "Write one plain SELECT with $1 in its WHERE; group or limit in a subquery of the WHERE."


def correlated(words: list[Word], tree: exp.Query) -> list[Word]:
    """Return the words of the query about all rows that triggered; its result also has their key and moment.

    Args:
        tree: the checked query.

    Raises:
        Refusal: run for several rows at once, the query would mean something else.
    """
    _refuse_what_would_mean_something_else(tree)
    start = _top_level_from(words)
    line = words[start].line
    has_all = any(isinstance(item, exp.Star) for item in tree.expressions)
    result = [] if has_all else _words(f", {ROWS} . {ROW_KEY} , {ROWS} . {ROW_AT}", line)
    source = _words(f"{ROWS} CROSS JOIN", line)
    with_rows = [*words[:start], *result, words[start], *source, *words[start + 1 :]]
    return [inner for word in with_rows for inner in (_key(word) if word.text == "$1" else [word])]


def _refuse_what_would_mean_something_else(tree: exp.Query) -> None:
    if not isinstance(tree, exp.Select):
        raise Refusal("A query with $1 cannot be a UNION, EXCEPT or INTERSECT.", _PLAIN)
    for part, shown in (
        ("with_", "WITH"),
        ("distinct", "DISTINCT"),
        ("group", "GROUP BY"),
        ("having", "HAVING"),
        ("order", "ORDER BY"),
        ("limit", "LIMIT"),
    ):
        if tree.args.get(part):
            raise Refusal(f"A query with $1 cannot have {shown} of its own.", _PLAIN)
    if tree.args.get("from_") is None:
        raise Refusal("A query with $1 reads no table.", _PLAIN)
    if any(is_aggregate(item) for item in tree.expressions):
        raise Refusal("A query with $1 cannot count or sum its rows.", _PLAIN)
    for placeholder in tree.find_all(exp.Placeholder):
        if placeholder.name == TRIGGER_KEY and _is_in_a_derived_table(placeholder):
            raise Refusal("$1 is in a query inside FROM, where it is not visible.", _PLAIN)


def _is_in_a_derived_table(node: exp.Expr) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join):
            return True
    return False


def _top_level_from(words: list[Word]) -> int:
    depths = accumulate({"(": 1, ")": -1}.get(word.text, 0) for word in words)
    return next(at for at, depth in enumerate(depths) if depth == 0 and words[at].upper == "FROM")


def _words(text: str, line: int) -> list[Word]:
    # No blank around a point: a name before it is a table's.
    made = [Word("operator" if part in {",", "."} else "word", part, line, " ") for part in text.split()]
    return [Word(word.kind, word.text, line, "") if _touches_a_point(made, n) else word for n, word in enumerate(made)]


def _touches_a_point(words: list[Word], at: int) -> bool:
    # The first looks at the last, which is no point.
    return words[at].text in {".", ","} or words[at - 1].text == "."


def _key(word: Word) -> list[Word]:
    first, *rest = _words(f"{ROWS} . {ROW_KEY}", word.line)
    return [Word(first.kind, first.text, first.line, word.before), *rest]
