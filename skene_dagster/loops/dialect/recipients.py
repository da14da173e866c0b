"""Find what the query reads and returns: its source tables, its columns, and which of them names the user."""

from dataclasses import dataclass

from sqlglot import exp

from skene_dagster.loops.dialect.scanner import Refusal
from skene_dagster.loops.dialect.structure import unwrapped
from skene_dagster.settings import Users

USER_ID = "user_id"


@dataclass(frozen=True)
class _Item:
    """One expression of a SELECT list."""

    name: str
    expression: exp.Expr

    @property
    def star(self) -> bool:
        column = self.expression
        return isinstance(column, exp.Star) or (isinstance(column, exp.Column) and isinstance(column.this, exp.Star))


def tables(query: exp.Query) -> tuple[str, ...]:
    """Return the source tables as they are written, without the names that WITH defines, sorted."""
    found = {written(table) for table in query.find_all(exp.Table) if common_table(table) is None}
    return tuple(sorted(found))


def names_read(query: exp.Query) -> tuple[str, ...]:
    """Return the names of the columns that the query reads, of whichever table, in lower case, sorted."""
    return tuple(sorted({column.name.casefold() for column in query.find_all(exp.Column)}))


def written(table: exp.Table) -> str:
    """Name a source table as it is written, with its schema if it has one there."""
    return f"{table.db}.{table.name}" if table.db else table.name


def common_table(table: exp.Table) -> exp.CTE | None:
    """Find the WITH entry that a table name means; one that is being defined does not mean itself."""
    if table.db:
        return None
    inner: exp.Expr = table
    node = table.parent
    while node is not None:
        clause = node.args.get("with_")
        if isinstance(clause, exp.With):
            entries: list[exp.CTE] = clause.expressions
            if inner is clause:
                entries = entries[: _entry_of(table, clause) + bool(clause.recursive)]
            for entry in reversed(entries):
                if entry.alias.casefold() == table.name.casefold():
                    return entry
        inner, node = node, node.parent
    return None


def columns(query: exp.Query) -> tuple[str, ...] | None:
    """Return the names of the result's columns; None where a `*` leaves them to the database.

    Raises:
        Refusal: a column without a name, or two of one name.
    """
    items = _items(_first(query))
    names = [item.name for item in items if not item.star]
    for position, item in enumerate(items, 1):
        if not item.star and not item.name:
            raise Refusal(f"Column {position} of the result has no name.", "Write … AS name.")
    # MySQL: names of columns are compared without regard to case.
    folded = [name.casefold() for name in names]
    for name in names:
        if folded.count(name.casefold()) > 1:
            raise Refusal(f"The result has two columns {name!r}.", "Give one of them another name: … AS name.")
    return None if any(item.star for item in items) else tuple(names)


def key(query: exp.Query, users: Users) -> str:
    """Return the result's column that is the user's key.

    It is the users table's key where the outermost SELECT reads the users table, or else the column `user_id`.

    Raises:
        Refusal: neither is there, or both could be meant.
    """
    found = _key(unwrapped(query), users)
    if found is not None:
        return found
    first = _first(query)
    returned = ", ".join("*" if item.star else item.name or "a column without a name" for item in _items(first))
    example = f"SELECT {users.key}, {users.email} FROM {users.table} …"
    near = _nearly_users(query, users)
    raise Refusal(
        f"The query returns no column that names the user; it returns: {returned}.",
        f"Select the users table's key, for example: {example}"
        + (f" The users table is {users.table!r} in skene.yaml; {near!r} is another one." if near else ""),
    )


def is_plain(query: exp.Query, users: Users) -> bool:
    """Whether each row of the answer is one user's own row: the outermost SELECT reads the users table and no other.

    What it asks of a user may be in any table; but not who is among the first of them, for that depends on when it is
    asked.
    """
    if not isinstance(query, exp.Select) or any(query.args.get(part) for part in ("distinct", "group", "having")):
        return False
    sources = _sources(query)
    if len(sources) != 1 or not isinstance(sources[0], exp.Table) or not _is_users(sources[0], users):
        return False
    own = {sources[0].alias_or_name.casefold()}
    return any(_users_key(item, own, users, only=True) for item in _items(query)) and not query.find(exp.Limit)


def _first(query: exp.Expr) -> exp.Select:
    query = unwrapped(query)
    while isinstance(query, exp.SetOperation):
        query = unwrapped(query.this)
    assert isinstance(query, exp.Select)
    return query


def _items(select: exp.Select) -> list[_Item]:
    items = []
    for item in select.expressions:
        named = isinstance(item, (exp.Alias, exp.Column)) and not item.is_star
        items.append(_Item(item.alias_or_name if named else "", item.unalias()))
    return items


def _key(query: exp.Expr, users: Users) -> str | None:
    if isinstance(query, exp.SetOperation):
        left, right = _key(unwrapped(query.this), users), _key(unwrapped(query.expression), users)
        if left is not None and left.casefold() == USER_ID:
            return left
        same = left is not None and left == right and _position(query.this, left) == _position(query.expression, left)
        return left if same else None
    assert isinstance(query, exp.Select)
    return _key_of_select(query, users)


def _position(query: exp.Expr, name: str) -> int | None:
    """Say which column of a branch has the name; None in a branch that selects `*`."""
    items = _items(_first(query))
    if any(item.star for item in items):
        return None
    return next(at for at, item in enumerate(items) if item.name.casefold() == name.casefold())


def _key_of_select(select: exp.Select, users: Users) -> str | None:
    items = _items(select)
    sources = _sources(select)
    own = {source.alias_or_name.casefold() for source in sources if _is_users(source, users)}
    only_users = len(own) == len(sources) == 1
    users_key = next((name for item in items if (name := _users_key(item, own, users, only=only_users))), None)
    user_id = next((item.name for item in items if item.name.casefold() == USER_ID), None)
    foreign_star = next((item for item in items if item.star and not _star_of(item, own, only=only_users)), None)
    if users_key is None:
        _refuse_ambiguous(items, own, users, joined=len(sources) > 1)
        # A column `user_id` may be behind the star; only the database can tell.
        return user_id or (USER_ID if foreign_star else None)
    if users_key.casefold() == USER_ID or only_users:
        return users_key
    if user_id is not None or foreign_star is not None:
        other = user_id or f"{USER_ID}, which a * may hold"
        raise Refusal(
            f"Two columns of the result could name the user: {users_key} and {other}.",
            f"Return only one of them, for example: SELECT {min(own)}.{users.key}, … without the other.",
        )
    return users_key


def _sources(select: exp.Select) -> list[exp.Expr]:
    origin = select.args.get("from_")
    joined = [join.this for join in select.args.get("joins") or []]
    return ([origin.this] if origin else []) + joined


def _is_users(source: exp.Expr, users: Users) -> bool:
    """Whether a source is the users table, or a derived table whose own key is the users table's."""
    if isinstance(source, exp.Table):
        common = common_table(source)
        if common is None:
            return written(source).casefold() == users.table.casefold()
        clause = common.parent
        if common.args["alias"].columns or (isinstance(clause, exp.With) and clause.recursive):
            return False
        return _keeps_users_key(common.this, users)
    return isinstance(source, exp.Subquery) and _keeps_users_key(source.this, users)


def _keeps_users_key(query: exp.Expr, users: Users) -> bool:
    query = unwrapped(query)
    if isinstance(query, exp.SetOperation):
        return _keeps_users_key(query.this, users) and _keeps_users_key(query.expression, users)
    if not isinstance(query, exp.Select):
        return False
    sources = _sources(query)
    own = {source.alias_or_name.casefold() for source in sources if _is_users(source, users)}
    only = len(own) == len(sources) == 1
    return any(_users_key(item, own, users, only=only) for item in _items(query))


def _users_key(item: _Item, own: set[str], users: Users, *, only: bool) -> str | None:
    """Return the users key if this item is it, under its own name, taken from the users table."""
    if item.star:
        return users.key if _star_of(item, own, only=only) else None
    column = item.expression
    if not isinstance(column, exp.Column) or column.name.casefold() != users.key.casefold():
        return None
    from_users = column.table.casefold() in own if column.table else only
    return item.name if from_users and item.name.casefold() == users.key.casefold() else None


def _star_of(item: _Item, own: set[str], *, only: bool) -> bool:
    column = item.expression
    table = column.table if isinstance(column, exp.Column) else ""
    return table.casefold() in own if table else only


def _refuse_ambiguous(items: list[_Item], own: set[str], users: Users, *, joined: bool) -> None:
    if not own or not joined:
        return
    bare = next((item for item in items if isinstance(item.expression, exp.Star)), None)
    unqualified = next(
        (
            item
            for item in items
            if isinstance(item.expression, exp.Column)
            and not item.expression.table
            and item.name.casefold() == users.key.casefold() != USER_ID
        ),
        None,
    )
    if bare or unqualified:
        table = min(own)
        raise Refusal(
            f"{'*' if bare else users.key} of a join may come from any of its tables; which names the user?",
            f"Write {table}.{users.key}, and the other columns by name.",
        )


def _nearly_users(query: exp.Query, users: Users) -> str:
    """Name a source table that differs from the users table by its schema only."""
    own = users.table.casefold().rpartition(".")[2]
    others = (name for name in tables(query) if name.casefold() != users.table.casefold())
    return next((name for name in others if name.casefold().rpartition(".")[2] == own), "")


def _entry_of(table: exp.Table, clause: exp.With) -> int:
    node: exp.Expr = table
    while node.parent is not clause:
        assert node.parent is not None
        node = node.parent
    return [id(entry) for entry in clause.expressions].index(id(node))
