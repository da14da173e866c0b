"""Which table has the users: points for what speaks for a table, with the reasons, and when that is in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass

from skene_dagster.init.choosing import vocabulary
from skene_dagster.init.schema import Column, Rows, Schema, Table
from skene_dagster.init.words import folded, prefix_of, references, spelled, words_of
from skene_dagster.wording import how_many

CLEAR_LEAD = 40
"""Points by which the best has to lead, or a person is asked."""

CLEAR_BEST = 45
"""Points that the best needs, or a person is asked."""

MANY_TIMES = 10
"""A table with an address and so many times the rows may be the one that is meant."""

FEWEST_ROWS = 100
"""Rows of the larger table, below which their number says nothing."""

_TIMES = tuple(frozenset(names) for names in (vocabulary.CREATED, vocabulary.ACTIVITY, vocabulary.VERIFIED))


@dataclass(frozen=True)
class Scored:
    """A table that may have the users."""

    table: Table
    points: int
    reasons: tuple[str, ...]
    address: str
    """The column with the address."""
    has_password: bool


@dataclass(frozen=True)
class Doubt:
    """What a person should say: why, and which flag answers."""

    says: str
    flag: str
    options: tuple[str, ...] = ()


def address_of(table: Table, prefix: str = "") -> tuple[Column, int] | None:
    """Find the column with the address, and how sure its name is."""
    found = []
    for column in table.columns:
        name = folded(column.name, table, prefix)
        if column.kind != "text":
            continue
        if name in vocabulary.ADDRESSES:
            found.append((vocabulary.ADDRESSES[name], column))
        elif "email" in name and not vocabulary.NO_ADDRESS & set(spelled(column.name)):
            found.append((12, column))
    if not found:
        return None
    points, column = max(found, key=lambda one: one[0])
    return column, points


def plain_address_of(table: Table) -> tuple[Column, int] | None:
    """Find a column `address` of a table that is about email."""
    column = table.column("address")
    is_about_email = {"email", "mail"} & set(words_of(table))
    return (column, 12) if column is not None and column.kind == "text" and is_about_email else None


def is_named_for_people(table: Table, prefix: str = "") -> bool:
    """Whether its name says that each row is a user, and nothing else."""
    return _name_points(table, prefix) >= 20


def score(schema: Schema, rows: Rows) -> list[Scored]:
    """List the tables that have an address, the likeliest first."""
    prefix = prefix_of(table.name for table in schema.tables)
    found = [one for table in schema.tables if (one := _score(schema, rows, table, prefix)) is not None]
    return sorted(found, key=lambda one: (-one.points, one.table.name))


def doubts(found: Sequence[Scored], rows: Rows) -> list[Doubt]:
    """Say why the best of some tables may not be the one that is meant."""
    if not found:
        return []
    best, others = found[0], found[1:]
    said = []
    options = tuple(one.table.name for one in found if one.points > 0 or one is best)[:5]
    if best.points < CLEAR_BEST:
        said.append(f"{best.table.name} may have the users, but little speaks for it ({best.points} points).")
    passwords = [one for one in others if one.has_password and one.points > 0]
    if best.has_password and passwords:
        named = " and ".join(_counted(one, rows) for one in (best, *passwords[:2]))
        said.append(f"{named} both hold people with passwords.")
    elif others and best.points - others[0].points < CLEAR_LEAD:
        said.append(f"{_counted(best, rows)} and {_counted(others[0], rows)} are too much alike to tell.")
    count = rows.count(best.table.name)
    for one in others:
        more = rows.count(one.table.name)
        if count is not None and more is not None and more >= max(MANY_TIMES * count, FEWEST_ROWS):
            said.append(f"{_counted(one, rows)} has addresses, too, and many more rows than {_counted(best, rows)}.")
            options = tuple(dict.fromkeys((*options, one.table.name)))
            break
    return [Doubt(" ".join(said), "--users", options)] if said else []


def _counted(one: Scored, rows: Rows) -> str:
    count = rows.count(one.table.name)
    return one.table.name if count is None else f"{one.table.name} ({how_many(count, 'row')})"


def _score(schema: Schema, rows: Rows, table: Table, prefix: str) -> Scored | None:
    address = address_of(table, prefix)
    if address is None:
        return None
    column, points = address
    reasons = [f"it has {column.name}"]
    points += _name_points(table, prefix)
    if points > 30:
        reasons.insert(0, "its name")
    columns = {folded(one.name, table, prefix) for one in table.columns}
    if len(table.primary) == 1:
        points += -30 if table.primary == (column.name,) else 10
    else:
        points -= 20
    has_password = bool(columns & vocabulary.PASSWORDS)
    if has_password:
        points += 15
        reasons.append("a password")
    if column.unique:
        points += 8
        reasons[reasons.index(f"it has {column.name}")] += " (unique)"
    points += 4 * sum(bool(columns & names) for names in _TIMES)
    pointing = len(references(schema, table, prefix))
    if pointing:
        points += min(5 * pointing, 20)
        reasons.append(f"{how_many(pointing, 'table refers', 'tables refer')} to it")
    if _refers_to_people(table, prefix):
        points -= 25
    values = rows.sample(table.name, column.name)
    if values and sum("@" in str(value) for value in values) * 2 < len(values):
        points -= 30
    if schema.users_table.lower() == table.name.lower():
        points += 60
        reasons.insert(0, f"{schema.framework} names it")
    return Scored(table, points, tuple(reasons), column.name, has_password)


def _name_points(table: Table, prefix: str) -> int:
    words = words_of(table, prefix)
    known = [vocabulary.PEOPLE[word] for word in words if word in vocabulary.PEOPLE]
    points = max(known, default=0)
    if known and len(words) == 1:
        points += 5
    return points - 40 * sum(word in vocabulary.OTHER_SUBJECTS for word in words)


def _refers_to_people(table: Table, prefix: str) -> bool:
    """Whether its rows are about a user, who is a row elsewhere."""
    own = words_of(table, prefix)
    for column in table.columns:
        name = column.name.lower().replace("_", "")
        if name in {"userid", "memberid", "customerid"} and name.removesuffix("id") not in own:
            return True
        if column.refers_to and column.refers_to != table.name and column.name in table.primary:
            return True
    return False
