"""Find which column of a query's result names the user."""

from dataclasses import dataclass

from sqlglot import exp

from skene_dagster.documents import nearest
from skene_dagster.loops.dialect.answers.lineage import Lineage, Output
from skene_dagster.loops.dialect.answers.sources import Product, Source, is_star, sources, tables
from skene_dagster.loops.dialect.quoting import in_the_authors_words, string_value
from skene_dagster.loops.dialect.rewriting import Rewritten
from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.structure import unwrapped
from skene_dagster.settings import Users

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


@dataclass(frozen=True)
class Key:
    """The result's column that is the user's key."""

    name: str
    own: bool
    """It is the users table's own key, and never NULL."""


def names_read(query: exp.Query) -> tuple[str, ...]:
    """Return the names of the columns that the query reads, of whichever table, in lower case, sorted."""
    return tuple(sorted({column.name.casefold() for column in query.find_all(exp.Column)}))


def columns(query: exp.Query, rewritten: Rewritten) -> tuple[str, ...] | None:
    """Return the names of the result's columns; None where a `*` leaves them to the database.

    A computed column has only a name that is given to it.

    Raises:
        Refusal: two columns of one name.
    """
    items = _first(query).expressions
    plain = [item for item in items if not is_star(item)]
    called = [_named(item) or _called(item, rewritten) for item in plain]
    # MySQL: names of columns are compared without regard to case.
    folded = [name.casefold() for name in called]
    for name in called:
        if folded.count(name.casefold()) > 1:
            raise Refusal(f"The result has two columns {name!r}.", "Give one of them another name: … AS name.")
    return tuple(filter(None, map(_named, items))) if len(plain) == len(items) else None


def _named(item: exp.Expr) -> str:
    return item.alias_or_name if isinstance(item, exp.Alias | exp.Column) else ""


def _called(item: exp.Expr, rewritten: Rewritten) -> str:
    """Say what a server calls a column that has no name: as it is written."""
    value = string_value(item, rewritten)
    return in_the_authors_words(item.sql("mysql"), rewritten) if value is None else value


def key(query: exp.Query, product: Product) -> Key:
    """Find the result's column that is the user's key.

    It is the users table's key where the outermost SELECT reads the users table, or else the column `user_id`; or the
    only column that is one of them under another name.

    Raises:
        Refusal: none is there, or several could be meant.
    """
    lineage = Lineage(product)
    outputs = lineage.outputs(query)
    first = _first(query)
    read = sources(first)
    name = _chosen(outputs, lineage, read, product, first)
    if name is None:
        raise _nothing_found(query, outputs, lineage, product)
    chosen = next((output for output in outputs if output.name == name), None)
    # WITH ROLLUP adds rows whose key is NULL.
    own = chosen is not None and chosen.names == "own" and query.find(exp.Rollup) is None
    return Key(name, own)


def is_plain(query: exp.Query) -> bool:
    """Whether each row of an answer by the users' own key is one user's own row: no other table is read beside theirs.

    What it asks of a user may be in any table; but not who is among the first of them, for that depends on when it is
    asked.
    """
    if any(query.args.get(part) for part in ("distinct", "group", "having")) or query.find(exp.Limit):
        return False
    return [type(source.node) for source in sources(query)] == [exp.Table]


def _chosen(
    outputs: list[Output], lineage: Lineage, read: list[Source], product: Product, first: exp.Select
) -> str | None:
    users_key = product.users.key.casefold()
    users = [source for source in read if lineage.is_users(source)]
    only_users = len(users) == len(read) == 1
    by_key = next((output for output in outputs if output.names and output.name.casefold() == users_key), None)
    by_name = next((output for output in outputs if output.name.casefold() == product.reference), None)
    # A column `user_id` may be behind the star; only the database can tell.
    hidden = any(output.unknown and not output.of_users for output in outputs)
    bare = any(isinstance(item, exp.Star) for item in first.expressions)
    if by_key is None or bare:
        _refuse_ambiguous(first, read, users, product)
    if by_key is not None:
        other = by_name.name if by_name else _hidden(product) if hidden else ""
        if other and by_key is not by_name and not only_users:
            raise _two(by_key, other, product, read)
        return by_key.name
    renamed = [output for output in outputs if output.names]
    if by_name is not None:
        if by_name.names != "own" and (own := next((one for one in renamed if one.names == "own"), None)):
            raise _two(own, by_name.name, product, read)
        return by_name.name
    if hidden:
        if renamed:
            raise _two(renamed[0], _hidden(product), product, read)
        return product.reference
    others = [*renamed[1:], *(output for output in outputs if output.name.casefold() == users_key)]
    if renamed and others:
        raise _two(renamed[0], others[0].name, product, read)
    return next((output.name for output in renamed), None)


def _hidden(product: Product) -> str:
    return f"{product.reference}, which a * may hold"


def _two(output: Output, other: str, product: Product, read: list[Source]) -> Refusal:
    table = read[0].node.alias_or_name if read else product.users.table
    column = output.expression
    shown = column.sql() if not is_star(column) else f"{table}.{product.users.key}"
    return Refusal(
        f"Two columns of the result could name the {product.word}: {output.name} and {other}.",
        f"Return only one of them, for example: SELECT {shown}, … without the other.",
    )


def _refuse_ambiguous(first: exp.Select, read: list[Source], users: list[Source], product: Product) -> None:
    if not users or len(read) < 2:
        return
    bare = any(isinstance(item, exp.Star) for item in first.expressions)
    unqualified = any(
        isinstance(item.unalias(), exp.Column)
        and not item.unalias().table
        and item.unalias().name.casefold() == product.users.key.casefold() != product.reference
        for item in first.expressions
    )
    if bare or unqualified:
        raise Refusal(
            f"{'*' if bare else product.users.key} of a join may come from any of its tables; "
            f"which is the {product.word}?",
            f"Write {users[0].name}.{product.users.key}, and the other columns by name.",
        )


def _nothing_found(query: exp.Query, outputs: list[Output], lineage: Lineage, product: Product) -> Refusal:
    users = product.users
    top = unwrapped(query)
    if isinstance(top, exp.SetOperation) and any(output.names for output in lineage.outputs(_first(top))):
        return _branch(top, lineage, product)
    returned = ", ".join(_described(output, users.key) for output in outputs)
    shown = f"{users.key}, {users.email}" if isinstance(users, Users) else users.key
    example = f"SELECT {shown} FROM {users.table} …"
    near = _nearly_users(query, product)
    return Refusal(
        f"The query returns no column that names the {product.word}; it returns: {returned}.",
        f"Select the {product.word}s table's key, for example: {example}"
        + (
            f" The {product.word}s table is {users.table!r} in skene.yaml; {near!r} is a different table."
            if near
            else ""
        ),
    )


def _branch(query: exp.SetOperation, lineage: Lineage, product: Product) -> Refusal:
    """Say which SELECT of a set has no user where the first has one."""
    users_key, who = product.users.key, product.word
    branches = _branches(query)
    first = lineage.outputs(branches[0])
    at, named = next((at, output.name) for at, output in enumerate(first) if output.names)
    word = type(query).__name__.upper()
    for number, branch in enumerate(branches[1:], 1):
        found = lineage.outputs(branch)
        if at < len(found) and found[at].names:
            continue
        which = _ORDINALS[number] if number < len(_ORDINALS) else f"{number + 1}th"
        elsewhere = next((place for place, output in enumerate(found) if output.names), None)
        if elsewhere is not None:
            return Refusal(
                f"The {which} SELECT of the {word} has the {who} in column {elsewhere + 1}, the first in column "
                f"{at + 1}.",
                "Write the columns in the same order in both.",
            )
        shown = _described(found[at], users_key) if at < len(found) else "nothing"
        return Refusal(
            f"The {which} SELECT of the {word} has no {who} where the first has {named}: there is {shown}.",
            f"Return the {who}'s key there; if {shown} is it, write {named} AS {product.reference} in the first "
            "SELECT.",
        )
    return Refusal(f"The SELECTs of the {word} have no column in common that names the {who}.", "Name the columns.")


def _branches(query: exp.Expr) -> list[exp.Expr]:
    query = unwrapped(query)
    if isinstance(query, exp.SetOperation):
        return [*_branches(query.this), *_branches(query.expression)]
    return [query]


def _described(output: Output, users_key: str) -> str:
    if output.unknown:
        return "*"
    if not output.name:
        return "a column without a name"
    computed = output.name.casefold() == users_key.casefold() and not isinstance(output.expression, exp.Column)
    return f"{output.name} (computed)" if computed else output.name


def _first(query: exp.Expr) -> exp.Select:
    query = unwrapped(query)
    while isinstance(query, exp.SetOperation):
        query = unwrapped(query.this)
    query = query.this if isinstance(query, exp.Subquery) else query
    assert isinstance(query, exp.Select)
    return query


def _nearly_users(query: exp.Query, product: Product) -> str:
    """Name a source table that differs from the users table by its schema only, or by its spelling."""
    own = product.users.table.casefold().rpartition(".")[2]
    others = {name.casefold().rpartition(".")[2]: name for name in tables(query)}
    if others.get(own, "").casefold() == product.users.table.casefold():
        return ""
    return next((others[name] for name in nearest(own, others)), "")
