"""Judge the tree: one read-only SELECT, made of known parts, with nothing of the text lost."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from sqlglot import ErrorLevel, exp, parse
from sqlglot.errors import ParseError

from skene_dagster.loops.dialect import vocabulary as known
from skene_dagster.loops.dialect.quoting import as_written, in_the_authors_words, line_of, string_value, word_for
from skene_dagster.loops.dialect.rewriting import OPAQUE, STRING, Rewritten, number_value
from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.time.dates import refuse_an_offset
from skene_dagster.loops.dialect.time.shifts import refuse_interval, refuse_numbers_from_clock
from skene_dagster.settings import SYSTEM_SCHEMAS

COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ)
EQUALITIES = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.In)
ORDERED = (exp.LT, exp.LTE, exp.GT, exp.GTE)
_QUERIES = (exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery)
_CLAUSES = "with_ order limit offset"
_BINARY = "this expression"
_PARTS: dict[type[exp.Expr], str] = {
    exp.Select: f"{_CLAUSES} expressions distinct from_ joins where group having windows",
    **dict.fromkeys((exp.Union, exp.Except, exp.Intersect), f"{_CLAUSES} this expression distinct"),
    exp.Subquery: f"{_CLAUSES} this alias",
    exp.With: "expressions recursive",
    exp.CTE: "this alias",
    exp.TableAlias: "this columns",
    exp.Table: "this db alias hints joins",
    exp.IndexTableHint: "this expressions",
    exp.Join: "this on side kind using method",
    exp.Group: "expressions rollup",
    exp.Ordered: "this desc nulls_first",
    exp.Limit: "expression",
    exp.Offset: "expression",
    exp.Window: "this partition_by order spec alias over",
    exp.WindowSpec: "kind start start_side end end_side",
    exp.Column: "this table db",
    exp.Identifier: "this quoted",
    exp.Alias: "this alias",
    exp.Literal: "this is_string",
    exp.Anonymous: "this expressions",
    exp.Like: "this expression negate",
    exp.Is: "this expression negate",
    exp.In: "this expressions query field",
    exp.Between: "this low high",
    exp.Case: "this ifs default",
    exp.If: "this true",
    exp.Interval: "this unit fraction_in_string",
    exp.Cast: "this to",
    exp.DataType: "this expressions values kind nested",
    exp.Div: "this expression typed safe",
    exp.Trim: "this expression position",
    exp.GroupConcat: "this separator",
    exp.Concat: "expressions safe coalesce",
    exp.JSONExtract: "this expression only_json_types",
    exp.JSONExtractScalar: "this expression only_json_types scalar_only",
    exp.Order: "this expressions",
    **dict.fromkeys((exp.Rollup, exp.Distinct, exp.Tuple, exp.JSONPath), "expressions"),
    **dict.fromkeys((exp.From, exp.Where, exp.Having, exp.Var, exp.Placeholder, exp.Boolean), "this"),
    **dict.fromkeys((exp.Paren, exp.Neg, exp.Not, exp.BitwiseNot, exp.Exists, exp.Any, exp.All), "this"),
    **dict.fromkeys((exp.DataTypeParam, exp.CharacterSet, exp.JSONPathKey), "this"),
    **dict.fromkeys((exp.Star, exp.Null, exp.JSONPathRoot), ""),
    **dict.fromkeys(COMPARISONS, _BINARY),
    **dict.fromkeys((exp.And, exp.Or, exp.Xor, exp.Escape, exp.RegexpLike, exp.Collate, exp.Extract), _BINARY),
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.IntDiv, exp.Mod, exp.JSONArrayContains), _BINARY),
    **dict.fromkeys((exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor), _BINARY),
    **dict.fromkeys((exp.BitwiseLeftShift, exp.BitwiseRightShift), _BINARY),
}
"""What a condition may be made of. A part that a new release of sqlglot invents is refused, not guessed at."""
_KNOWN = {kind: frozenset(parts.split()) for kind, parts in _PARTS.items()}

_INSTEAD = {
    "QUALIFY": "Write the window function in a derived table, and WHERE around it.",
    "TABLE SAMPLE": "Write a condition on the key, such as MOD(id, 10) = 0.",
    "AT TIME ZONE": "Write CONVERT_TZ(x, 'UTC', 'Europe/Berlin').",
    "SIMILAR TO": "Write REGEXP.",
    "GLOB": "Write LIKE, or REGEXP.",
    "FILTER": "Write SUM(condition), or COUNT(IF(condition, 1, NULL)).",
    "SOUNDEX": "TiDB does not know it. Write LOWER(x) LIKE 'ann%'.",
    "PIVOT": "Write SUM(CASE … END).",
}
_JOINS = {
    "FULL": "Write LEFT JOIN, and RIGHT JOIN in the second SELECT of a UNION.",
    "SEMI": "Write WHERE EXISTS (SELECT 1 FROM … WHERE …).",
    "ANTI": "Write WHERE NOT EXISTS (SELECT 1 FROM … WHERE …).",
}
_PLAINLY = "Write it in MySQL's plain SQL, or leave it out."
_MOST_TABLES = 61  # MySQL's own limit


def judge(rewritten: Rewritten) -> exp.Query:
    """Return the query's tree.

    Raises:
        Refusal: it cannot be read, is no query, has a part that is not known, or the tree lacks some of its words.
    """
    tree = _parsed("".join(rewritten.judged), rewritten)
    for node in tree.walk():
        try:
            _refuse_unknown(node, rewritten)
            _refuse_inside(node, rewritten)
            _refuse_parts(node, rewritten)
        except Refusal as bad:
            bad.line = bad.line or line_of(node, rewritten)
            raise
    _nothing_lost(tree, rewritten)
    return tree


def _refuse_unknown(node: exp.Expr, rewritten: Rewritten) -> None:
    if type(node) not in _KNOWN:
        name = _called(node)
        raise Refusal(f"{word_for(name, node, rewritten)} cannot be used.", _INSTEAD.get(name, _PLAINLY))


def _refuse_parts(node: exp.Expr, rewritten: Rewritten) -> None:
    for part, value in node.args.items():
        if value and part not in _KNOWN[type(node)]:
            name = part.strip("_").replace("_", " ").upper()
            inside = value if isinstance(value, list) else [value]
            inner = next((one for one in inside if isinstance(one, exp.Expr)), node)
            shown, advice = word_for(name, inner, rewritten), _INSTEAD.get(name, _PLAINLY)
            raise Refusal(f"{shown} cannot be used.", advice, line_of(inner, rewritten))


def unwrapped(query: exp.Expr) -> exp.Expr:
    """Take the parentheses off that surround a whole query."""
    while isinstance(query, exp.Subquery):
        query = query.this
    return query


def conjuncts(clause: exp.Expr) -> Iterator[exp.Expr]:
    """List the conditions that must all hold for a clause to hold."""
    waiting = [clause]
    while waiting:
        part = waiting.pop()
        if isinstance(part, exp.And | exp.Paren):
            waiting += reversed([*part.iter_expressions()])
        else:
            yield part


def _parsed(text: str, rewritten: Rewritten) -> exp.Query:
    try:
        (tree,) = parse(text, read="mysql", error_level=ErrorLevel.RAISE)
    except ParseError as bad:
        first = bad.errors[0] if bad.errors else {}
        near = in_the_authors_words(str(first.get("highlight") or ""), rewritten)
        where = f" near {near!r}" if near else ""
        line = first.get("line")
        raise Refusal(f"The SQL cannot be read{where}.", "Check it there.", line) from None
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - sqlglot, 2026-11: an AttributeError and worse for some broken SQL
        raise Refusal(
            "The SQL cannot be read.", "Check its syntax, for example in the database's own client."
        ) from None
    if not isinstance(tree, _QUERIES):
        raise Refusal("This is not one SELECT.", "A condition is exactly one SELECT, which only reads.")
    return tree


def _plainly(name: str) -> str:
    """Write a name as a server may compare it: TiDB, 2026-11, reads İ (U+0130) as i."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _called(node: exp.Expr) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()


def _refuse_inside(node: exp.Expr, rewritten: Rewritten) -> None:
    match node:
        case exp.Select() | exp.Union() | exp.Except() | exp.Intersect() | exp.Subquery():
            _refuse_in_query(node)
        case exp.Distinct() if node.args.get("on"):
            raise Refusal("DISTINCT ON cannot be used.", "It is PostgreSQL's. Write GROUP BY or ROW_NUMBER().")
        case exp.Join() if (
            node.side == "FULL" or node.kind not in ("", "INNER", "CROSS", "OUTER") or node.method == "ASOF"
        ):
            words = " ".join(word for word in (node.method, node.side, node.kind) if word)
            advice = _JOINS.get(node.side or node.kind, "Write JOIN, LEFT JOIN or RIGHT JOIN.")
            raise Refusal(f"{words} JOIN cannot be used.", f"TiDB does not know it. {advice}")
        case exp.Table() if _plainly(node.db) in SYSTEM_SCHEMAS:
            raise Refusal(
                f"{node.db}.{node.name} is the database server's own table.",
                "Read the product's tables only.",
                node.this.meta.get("line"),
            )
        case exp.Table() if node.catalog or not isinstance(node.this, exp.Identifier):
            shown = as_written(node, rewritten) or "This"
            raise Refusal(f"{shown} is not a table.", "Write table or schema.table.")
        case exp.Identifier() if STRING.fullmatch(node.name) and node.quoted:
            raise Refusal("A name is written as a string.", "Write names in backticks, or as plain words.")
        case exp.Order() if node.this and not isinstance(node.parent, exp.GroupConcat):
            shown = as_written(node, rewritten)
            raise Refusal(f"ORDER BY is inside a function: {shown}.", "Only GROUP_CONCAT() accepts it.")
        case exp.Literal():
            refuse_an_offset(string_value(node, rewritten) or "")
        case exp.Interval():
            refuse_interval(node, rewritten)
        case exp.Add() | exp.Sub():
            refuse_numbers_from_clock(node)
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE() | exp.NullSafeEQ():
            left, right = (string_value(side, rewritten) for side in (node.this, node.expression))
            if left is not None and right is not None:
                raise Refusal(
                    f"{left!r} and {right!r} are two strings; comparing them selects everybody or nobody.",
                    f"If {left!r} is a column, write `{left}`.",
                )


def _refuse_in_query(query: exp.Expr) -> None:
    if isinstance(query, (exp.Except, exp.Intersect)) and query.args.get("distinct") is False:
        raise Refusal(f"{_called(query)} ALL cannot be used.", f"TiDB does not know it. Write {_called(query)}.")
    if len(query.args.get("joins") or ()) >= _MOST_TABLES:
        raise Refusal(f"The query joins more than {_MOST_TABLES} tables.", "Use WITH to name the parts, or a view.")
    if isinstance(query, exp.Select) and not query.expressions:
        raise Refusal("The SELECT names no columns.", "Write SELECT id FROM users …")
    if isinstance(query, exp.Subquery) and (query.args.get("order") or query.args.get("limit")):
        raise Refusal("ORDER BY or LIMIT follows a query in parentheses.", "Remove the parentheses.")
    limited = query.args.get("limit") is not None or query.args.get("offset") is not None
    if limited and not query.args.get("order") and not isinstance(query.parent, exp.Exists):
        raise Refusal(
            "LIMIT without ORDER BY returns different rows each time; users would enter and leave at random.",
            "Add ORDER BY with the key at its end, for example: ORDER BY created_at, id.",
        )


def _nothing_lost(tree: exp.Expr, rewritten: Rewritten) -> None:
    """Account for every name, number and string of the author's: what the parser dropped was not checked."""
    names: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    strings: set[str] = set()
    for node in tree.walk():
        match node:
            case exp.Identifier() | exp.Var():
                names[node.name.casefold()] += 1
            case exp.JSONPathKey():
                strings.add(str(node.this))
            case exp.Literal() if STRING.fullmatch(node.name):
                strings.add(node.name)
            case exp.Literal():
                numbers[number_value(node.name)] += 1
            case exp.DataType() if isinstance(node.args.get("kind"), exp.Expr):
                names[node.args["kind"].name.casefold()] += 1
    contextual = {word.casefold() for word in known.CONTEXT}
    lost = [name for name in rewritten.names - names if name not in contextual]
    lost += list(rewritten.numbers - numbers)
    lost += [word.text for index, word in enumerate(rewritten.strings) if f"{OPAQUE}{index}" not in strings]
    if lost:
        raise Refusal(f"{', '.join(lost)}: this part of the SQL is not understood.", _PLAINLY)
