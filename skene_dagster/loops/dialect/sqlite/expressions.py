"""Write expressions for the embedded database, with MySQL's meaning.

Points in time are texts there, `YYYY-MM-DD HH:MM:SS.ffffff`. Whatever is compared with one is brought into this form
first, so that a date equals its midnight and a text without fractions of a second compares right.
"""

import re
from collections.abc import Callable

from sqlglot import exp

from skene_dagster.loops.dialect.answers.origins import item_named
from skene_dagster.loops.dialect.quoting import string_of, string_value
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.sqlite.calls import CALLS, FORMATS, KEYWORDS, OF_THEIR_ARGUMENTS, PARTS
from skene_dagster.loops.dialect.sqlite.values import (
    LOOSE,
    SHOWN,
    SYMBOLS,
    NeedsTidb,
    are_moments,
    in_full,
    kind_of,
    kinds_of_values,
    moment_of,
    negative,
    quoted,
)
from skene_dagster.loops.dialect.structure import ORDERED
from skene_dagster.loops.dialect.time import dates
from skene_dagster.loops.dialect.time.clocks import FUNCTION
from skene_dagster.loops.dialect.time.intervals import SIMPLE_UNITS
from skene_dagster.loops.dialect.time.moments import Moments


class Expressions:
    """Writes expressions; `query` writes the queries inside them."""

    def __init__(self, rewritten: Rewritten, moments: Moments, query: Callable[[exp.Expr], str]) -> None:
        self._rewritten = rewritten
        self._moments = moments
        self._query = query

    def all(self, nodes: list[exp.Expr]) -> str:
        """Write a list."""
        return ", ".join(map(self.expression, nodes))

    def order(self, order: exp.Order) -> str:
        """Write ORDER BY; NULL comes first in MySQL and SQLite alike."""
        terms = (self.expression(term.this) + (" DESC" if term.args.get("desc") else "") for term in order.expressions)
        return f"ORDER BY {', '.join(terms)}"

    def expression(self, node: exp.Expr) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind
        """Write anything that stands inside a SELECT."""
        match node:
            case exp.Star():
                return "*"
            case exp.Null():
                return "NULL"
            case exp.Boolean():
                return "TRUE" if node.this else "FALSE"
            case exp.Placeholder():
                return f":{node.name}"
            case exp.Identifier():
                return self._identifier(node)
            case exp.Literal():
                return self._literal(node)
            case exp.Column():
                return self._column(node)
            case exp.Alias():
                return f"{self.expression(node.this)} AS {self.expression(node.args['alias'])}"
            case exp.Paren():
                return f"({self.expression(node.this)})"
            case exp.Not():
                return f"NOT {self.expression(node.this)}"
            case exp.Neg():
                inner = self._operand(node.this)
                return f"-({inner})" if isinstance(node.this, exp.Neg) else f"-{inner}"
            case exp.And() | exp.Or():
                return self._chain(node)
            case exp.Distinct() if len(node.expressions) == 1:
                return f"DISTINCT {self.expression(node.expressions[0])}"
            case exp.Exists():
                return f"EXISTS ({self._query(node.this)})"
            case exp.Subquery():
                return f"({self._query(node)})"
            case exp.Case():
                return self._case(node)
            case exp.Window():
                return self._window(node)
            case exp.Anonymous():
                return self._function(node)
            case exp.Cast():
                return self._cast(node)
            case exp.Extract() if node.name.upper() in PARTS:
                return f"skene_part({self.expression(node.expression)}, '{node.name.upper()}')"
        return self._operation(node)

    def _chain(self, node: exp.And | exp.Or) -> str:
        terms: list[str] = []
        first: exp.Expr = node
        while type(first) is type(node):
            terms.append(self.expression(first.expression))
            first = first.this
        return f" {SYMBOLS[type(node)]} ".join([self.expression(first), *reversed(terms)])

    def _column(self, node: exp.Column) -> str:
        item = item_named(node)
        if item is not None and isinstance(node.find_ancestor(exp.Having, exp.Query), exp.Having):
            return f"({self.expression(item)})"
        name = ".".join(self.expression(part) for part in node.parts)
        if id(node) not in self._moments.inner:
            return name
        alias = f" AS {self.expression(node.this)}" if isinstance(node.parent, exp.Select) else ""
        return f"skene_moment({name}){alias}"

    def _identifier(self, node: exp.Identifier) -> str:
        plain = re.fullmatch(r"[A-Za-z_]\w*", node.name, re.ASCII) and node.name.lower() not in KEYWORDS
        name = node.name if plain and not node.quoted else "`" + node.name.replace("`", "``") + "`"
        return name.replace(":", r"\:")

    def _literal(self, node: exp.Literal) -> str:
        word = string_of(node, self._rewritten)
        if word is None:
            return node.name
        if word.kind == "hex":
            raise NeedsTidb("A hexadecimal or binary value")
        if "\0" in word.value:
            raise NeedsTidb(r"A string with \0")
        if dates.is_a_servers_own(word.value):
            raise NeedsTidb(f"A date that is written as {word.value!r}, not as '2026-11-23' or '2026-11-23 09:00:00',")
        return quoted(word.value)

    def _case(self, node: exp.Case) -> str:
        if node.this is not None and kind_of(node.this, self._rewritten) == "moment":
            raise NeedsTidb("CASE with a point in time")
        text = "CASE" + (f" {self.expression(node.this)}" if node.this else "")
        for branch in node.args["ifs"]:
            text += f" WHEN {self.expression(branch.this)} THEN {self.expression(branch.args['true'])}"
        default = node.args.get("default")
        return text + (f" ELSE {self.expression(default)}" if default is not None else "") + " END"

    def _window(self, node: exp.Window) -> str:
        if node.alias:
            raise NeedsTidb("WINDOW")
        parts = []
        if node.args.get("partition_by"):
            parts.append(f"PARTITION BY {self.all(node.args['partition_by'])}")
        if node.args.get("order"):
            parts.append(self.order(node.args["order"]))
        spec = node.args.get("spec")
        if spec is not None:
            parts.append(self._frame(spec))
        return f"{self.expression(node.this)} OVER ({' '.join(parts)})"

    def _frame(self, spec: exp.WindowSpec) -> str:
        if spec.text("kind").upper() != "ROWS":
            raise NeedsTidb("A window with RANGE")
        edges = []
        for edge in ("start", "end"):
            value = spec.args.get(edge)
            if value is not None:
                written = self.expression(value) if isinstance(value, exp.Expr) else str(value)
                edges.append(f"{written} {spec.text(f'{edge}_side')}".strip().upper())
        return f"ROWS BETWEEN {edges[0]} AND {edges[1]}" if len(edges) == 2 else f"ROWS {edges[0]}"

    def _function(self, node: exp.Anonymous) -> str:
        name, arguments = node.name.removeprefix(FUNCTION), node.expressions
        match name:
            case "DATE_ADD" | "ADDDATE" | "DATE_SUB" | "SUBDATE" if len(arguments) == 2:
                return self._shift(arguments[0], arguments[1], back=name in ("DATE_SUB", "SUBDATE"))
            case "TIMESTAMPADD" | "TIMESTAMPDIFF" if len(arguments) == 3:
                return self._with_unit(name, arguments)
            case "DATE_FORMAT" if len(arguments) == 2:
                return self._date_format(arguments[0], arguments[1])
        call = CALLS.get(name)
        if call is None or not call.least <= len(arguments) <= call.most:
            raise NeedsTidb(f"{name}()")
        if name in OF_THEIR_ARGUMENTS and len({*kinds_of_values(node, self._rewritten)} - {""}) > 1:
            raise NeedsTidb(f"{name}() of different kinds of values")
        if name == "ROUND" and isinstance(arguments[-1], exp.Neg):
            raise NeedsTidb("ROUND() to tens")  # TiDB, 2026-11: ROUND(25, -1) is 20; MariaDB and MySQL say 30
        written = [self.expression(argument) for argument in arguments]
        value = call.template.format(*written, all=", ".join(written))
        return f"skene_moment({value})" if id(node) in self._moments.inner else value

    def _with_unit(self, name: str, arguments: list[exp.Expr]) -> str:
        unit = arguments[0].name.upper()
        if unit not in SIMPLE_UNITS:
            raise NeedsTidb(f"{name}({unit}, …)")
        first, second = (self.expression(argument) for argument in arguments[1:])
        if name == "TIMESTAMPADD":
            return f"skene_shift({second}, {first}, '{unit}')"
        return f"skene_timestampdiff('{unit}', {first}, {second})"

    def _date_format(self, moment: exp.Expr, form: exp.Expr) -> str:
        value = string_value(form, self._rewritten)
        if value is None or not set(re.findall("%(.)", value, re.DOTALL)) <= FORMATS:
            raise NeedsTidb("DATE_FORMAT() with this format")
        return f"skene_date_format({self.expression(moment)}, {self.expression(form)})"

    def _cast(self, node: exp.Cast) -> str:
        to, inner = node.to, self.expression(node.this)
        match to.this, [parameter.name for parameter in to.expressions]:
            case exp.DType.DATE, []:
                return f"skene_date({inner})"
            case exp.DType.DATETIME, ["6"]:
                return f"skene_moment({inner})"
            case exp.DType.BIGINT, []:
                return f"skene_signed({inner})"
            case exp.DType.CHAR, []:
                return f"CAST({inner} AS TEXT)"
        raise NeedsTidb(f"CAST to {to.sql('mysql')}")

    def _operation(self, node: exp.Expr) -> str:
        match node:
            case exp.Add() | exp.Sub() if isinstance(node.expression, exp.Interval):
                return self._shift(node.this, node.expression, back=isinstance(node, exp.Sub))
            case exp.Add() | exp.Sub() | exp.Mul():
                if "moment" in (kind_of(node.this, self._rewritten), kind_of(node.expression, self._rewritten)):
                    raise NeedsTidb("Arithmetic with points in time")
                return f"{self._operand(node.this)} {SYMBOLS[type(node)]} {self._operand(node.expression)}"
            case exp.Div():
                return f"CAST({self._operand(node.this)} AS REAL) / {self._operand(node.expression)}"
            case exp.IntDiv() | exp.Mod():
                name = "skene_div" if isinstance(node, exp.IntDiv) else "skene_mod"
                return f"{name}({self._operand(node.this)}, {self._operand(node.expression)})"
            case exp.Is():
                word = "IS NOT" if node.args.get("negate") else "IS"
                return f"{self._operand(node.this)} {word} {self.expression(node.expression)}"
            case exp.Like():
                # MySQL: the backslash escapes unless something else is said.
                return rf"{self._like(node)} ESCAPE '\'"
            case exp.Escape() if isinstance(node.this, exp.Like):
                return f"{self._like(node.this)} ESCAPE {self.expression(node.expression)}"
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE() | exp.NullSafeEQ():
                left, right = self._comparable(node, [node.this, node.expression])
                compared = f"{left} {SYMBOLS[type(node)]} {right}"
                return self._of_two_columns(node, compared) if isinstance(node, ORDERED) else compared
            case exp.Between():
                value, low, high = self._comparable(node, [node.this, node.args["low"], node.args["high"]])
                return f"{value} BETWEEN {low} AND {high}"
            case exp.In():
                return self._in(node)
        raise NeedsTidb(SHOWN.get(type(node), type(node).__name__))

    def _of_two_columns(self, node: exp.Expr, compared: str) -> str:
        """Compare two columns as moments where one of them is one: nothing else tells what they hold."""
        if not (isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column)):
            return compared
        left, sign, right = self.expression(node.this), SYMBOLS[type(node)], self.expression(node.expression)
        as_moments = f"skene_moment({left}) {sign} skene_moment({right})"
        return f"CASE WHEN skene_any_moment({left}, {right}) THEN {as_moments} ELSE {compared} END"

    def _like(self, node: exp.Like) -> str:
        word = "NOT LIKE" if node.args.get("negate") else "LIKE"
        return f"{self._operand(node.this)} {word} {self._operand(node.expression)}"

    def _in(self, node: exp.In) -> str:
        query = node.args.get("query")
        if query is not None:
            return f"{self._operand(node.this)} IN ({self._query(query)})"
        if not node.expressions:
            raise NeedsTidb("This form of IN")
        value, *choices = self._comparable(node, [node.this, *node.expressions])
        return f"{value} IN ({', '.join(choices)})"

    def _operand(self, node: exp.Expr) -> str:
        if isinstance(node, LOOSE):
            raise NeedsTidb("A comparison inside another without parentheses")
        return self.expression(node)

    def _comparable(self, node: exp.Expr, sides: list[exp.Expr]) -> list[str]:
        """Write what is compared with each other: points in time in one form, numbers never with texts."""
        as_moments = are_moments(node, sides, self._rewritten)
        return [self._moment(side) if as_moments else self._operand(side) for side in sides]

    def _moment(self, node: exp.Expr) -> str:
        literal = moment_of(node, self._rewritten)
        if literal is not None:
            return quoted(literal)
        return self._operand(node) if in_full(node) else f"skene_moment({self._operand(node)})"

    def _shift(self, moment: exp.Expr, interval: exp.Expr, *, back: bool) -> str:
        number, unit = interval, "DAY"
        if isinstance(interval, exp.Interval):
            number, unit = interval.this, interval.text("unit").upper()
        if unit not in SIMPLE_UNITS:
            raise NeedsTidb(f"INTERVAL … {unit}")
        value = string_value(number, self._rewritten)
        written = value.strip().removeprefix("+") if value is not None else self._operand(number)
        if back:
            written = negative(written)
        return f"skene_shift({self._operand(moment)}, {written}, '{unit}')"
