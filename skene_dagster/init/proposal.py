"""What `init` proposes: the tables and columns, who may be mailed, where activity stands, and why."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from skene_dagster.errors import SettingsError
from skene_dagster.init.choosing import columns, people, vocabulary
from skene_dagster.init.choosing.activity import Activity, aloud, find_activity
from skene_dagster.init.choosing.columns import When
from skene_dagster.init.choosing.events import EventsTable, as_events, find_events
from skene_dagster.init.choosing.mailable import Tested, tests
from skene_dagster.init.choosing.named_users import named_by
from skene_dagster.init.choosing.people import Doubt, Scored
from skene_dagster.init.schema import Rows, Schema, Table
from skene_dagster.init.words import prefix_of, references

NONE = "none"
"""What a person says to have no events table."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,63}")


@dataclass(frozen=True)
class Asked:
    """What a person decided, by flags or when asked; None: it is proposed."""

    users: str | None = None
    email: str | None = None
    activity: str | None = None
    """A column of the users table."""
    events: str | None = None


@dataclass(frozen=True)
class Proposal:
    """A project's settings, and what its first loop needs."""

    source: str
    table: Table
    key: str
    email: str
    why: str
    """Why this is the users table, and which one was next."""
    name: str | None = None
    created: When | None = None
    updated: When | None = None
    timezone: str | None = None
    locale: str | None = None
    plan: str | None = None
    mailable: tuple[Tested, ...] = ()
    activity: Activity | None = None
    events: EventsTable | None = None
    named_by: str | None = None
    """The column of the users table that has what the events name users by; None: `events` cannot say it."""
    aloud: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = field(default=())


class NothingFound(SettingsError):
    """There is no table that could have the users, or none that skene.yaml can describe."""


def propose(schema: Schema, rows: Rows, asked: Asked) -> Proposal:
    """Propose a project.

    Raises:
        NothingFound: no table has users with an address, or the one that has them cannot be described.
        SettingsError: a table or a column that a person named is not there.
    """
    schema = _nameable(schema)
    prefix = prefix_of(table.name for table in schema.tables)
    scored = people.score(schema, rows)
    table, address, why, doubts = _users(schema, rows, asked, scored, prefix)
    if len(table.primary) != 1:
        raise _no_single_key(table)
    events, said = _events(schema, table, rows, asked)
    named = named_by(events, table, rows) if events is not None else None
    if events is not None and named is None:
        said.append(_cannot_be_mapped(events, table))
    activity = _activity(schema, table, rows, asked, prefix)
    said += aloud(schema, table, activity, prefix)
    if activity is not None and activity.is_sign_in and events is not None and asked.activity is None:
        # What people do says more than when they signed in.
        activity = None
    mailable = [*tests(schema, table, address, rows, prefix)]
    plan = columns.find(table, vocabulary.PLANS, kinds=["text"], prefix=prefix)
    name, zone, locale = (
        find(table, rows, prefix) for find in (columns.name_of, columns.timezone_of, columns.locale_of)
    )
    _refuse_odd_names(table.name, table.primary[0], address)
    return Proposal(
        source=schema.source,
        table=table,
        key=table.primary[0],
        email=address,
        why=why,
        name=name.name if name else None,
        created=columns.when(table, vocabulary.CREATED, rows, prefix),
        updated=columns.when(table, vocabulary.UPDATED, rows, prefix),
        timezone=zone.name if zone else None,
        locale=locale.name if locale else None,
        plan=plan.name if plan else None,
        mailable=tuple(one for one in mailable if isinstance(one, Tested)),
        activity=activity,
        events=events,
        named_by=named,
        aloud=(*said, *(one for one in mailable if isinstance(one, str)), *_unread(table, rows, prefix)),
        doubts=tuple(doubts),
    )


def _users(
    schema: Schema, rows: Rows, asked: Asked, scored: Sequence[Scored], prefix: str
) -> tuple[Table, str, str, list[Doubt]]:
    """Choose the users table and the column with the address; say why, and what is in doubt."""
    if asked.users is not None:
        table = schema.table(asked.users)
        if table is None:
            raise SettingsError(f"There is no table {asked.users!r} in {schema.source}.", advice=_tables(schema))
        address = asked.email or (found[0].name if (found := people.address_of(table, prefix)) else None)
        if address is None:
            raise _address_elsewhere(schema, table, prefix)
        return table, _column(table, address), "you named it", []
    if not scored:
        for table in schema.tables:
            if people.is_named_for_people(table, prefix):
                raise _address_elsewhere(schema, table, prefix)
        raise NothingFound(
            f"No table in {schema.source} has a column that looks like an email address.",
            advice=f"Name the table and the column: --users TABLE --email COLUMN. {_tables(schema)}",
        )
    best = scored[0]
    if (lacking := _people_without_address(schema, best, prefix)) is not None:
        raise _address_elsewhere(schema, lacking, prefix)
    doubts = people.doubts(scored, rows)
    why = f"{', '.join(best.reasons)}: {best.points} points"
    if len(scored) > 1 and scored[1].points > 0:
        why += f"; next is {scored[1].table.name}: {scored[1].points}"
    return best.table, _column(best.table, asked.email) if asked.email else best.address, why, doubts


def _people_without_address(schema: Schema, best: Scored, prefix: str) -> Table | None:
    """Find a table that is named for users and has no address, where a table that refers to it has one."""
    if best.points >= people.CLEAR_BEST:
        return None
    for table in schema.tables:
        if people.address_of(table, prefix) is None and people.is_named_for_people(table, prefix):
            pointing = [one for one, _ in references(schema, table, prefix)]
            if any(people.address_of(one, prefix) or people.plain_address_of(one) for one in pointing):
                return table
    return None


def _address_elsewhere(schema: Schema, table: Table, prefix: str) -> NothingFound:
    """Say that the address is in another table, and what to do about that."""
    for other, user in references(schema, table, prefix):
        found = people.address_of(other, prefix) or people.plain_address_of(other)
        if found is not None:
            return NothingFound(
                f"{table.name} has no address: it is in {other.name}.{found[0].name}, by {user}. skene.yaml cannot say "
                "this: users.email is a column of the users table.",
                advice=f"Give {table.name} a column with the address: --users {table.name} --email COLUMN. "
                f"Its values are: SELECT {user}, MIN({found[0].name}) FROM {other.name} GROUP BY {user}",
            )
    return NothingFound(
        f"{table.name} has no column that looks like an email address.",
        advice=f"Name it: --users {table.name} --email COLUMN. It has: {', '.join(c.name for c in table.columns)}.",
    )


def _activity(schema: Schema, table: Table, rows: Rows, asked: Asked, prefix: str) -> Activity | None:
    if asked.activity is None:
        return find_activity(schema, table, rows, prefix)
    column = table.column(_column(table, asked.activity))
    assert column is not None
    found = columns.read_when(table, column, rows)
    if found is None:
        raise SettingsError(
            f"{table.name}.{column.name} holds no moments, and no seconds or milliseconds since 1970.",
            advice="Name another column, or leave --activity out.",
        )
    return Activity(table.name, found)


def _events(schema: Schema, users: Table, rows: Rows, asked: Asked) -> tuple[EventsTable | None, list[str]]:
    if asked.events == NONE:
        return None, []
    if asked.events is not None:
        table = schema.table(asked.events)
        if table is None:
            raise SettingsError(f"There is no table {asked.events!r} in {schema.source}.", advice=_tables(schema))
        found = as_events(schema, table, users, rows)
        if found is None:
            raise SettingsError(
                f"{table.name} lacks what a table of events needs: a key of one column, a user, a name and a time.",
                advice="Name another table, or `--events none`.",
            )
        return found, []
    candidates = find_events(schema, users, rows)
    if not candidates:
        return None, []
    best = candidates[0]
    if best.polymorphic:
        name = best.table.name
        said = (
            f"{name} is not taken for events: {best.polymorphic} says whose id {best.user.name} is, and ids of others "
            f"would count as users. It looks like an audit of rows. If it is what users do: --events {name}"
        )
        return None, [said]
    return best, []


def _cannot_be_mapped(events: EventsTable, users: Table) -> str:
    return (
        f"{events.table.name} looks like events, but {events.user.name} ({events.user.declared}) cannot be compared "
        f"exactly with {users.name}.{users.primary[0]} ({_declared(users, users.primary[0])}), nor with another unique "
        "column of it. Levels, features and milestones need that; the first loop reads the table in its own SQL."
    )


def _unread(table: Table, rows: Rows, prefix: str) -> Iterator[str]:
    """Name the columns that should hold moments, and whose numbers say nothing."""
    for names, use in ((vocabulary.CREATED, "users.created_at"), (vocabulary.ACTIVITY, "a condition")):
        column = columns.find(table, names, kinds=["number"], prefix=prefix)
        if column is not None and columns.read_when(table, column, rows) is None:
            yield (
                f"{table.name}.{column.name} holds numbers, and nothing says what they count. If it is seconds or "
                f"milliseconds since 1970, it can be used for {use}: see docs/settings.md."
            )


def _declared(table: Table, column: str) -> str:
    found = table.column(column)
    return found.declared if found else ""


def _column(table: Table, name: str) -> str:
    found = table.column(name)
    if found is None:
        raise SettingsError(
            f"{table.name} has no column {name!r}.", advice=f"It has: {', '.join(one.name for one in table.columns)}."
        )
    return found.name


def _tables(schema: Schema) -> str:
    names = [table.name for table in schema.tables]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"There is: {', '.join(names[:20])}{more}." if names else "It has no tables."


def _no_single_key(table: Table) -> NothingFound:
    whole = f"is ({', '.join(table.primary)})" if table.primary else "is missing"
    return NothingFound(
        f"The primary key of {table.name} {whole}, and skene.yaml needs one of one column.",
        advice="Name another table: --users TABLE.",
    )


def _nameable(schema: Schema) -> Schema:
    """Leave out the tables and columns that skene.yaml cannot name."""
    tables = (
        replace(table, columns=tuple(column for column in table.columns if _NAME.fullmatch(column.name)))
        for table in schema.tables
        if _NAME.fullmatch(table.name)
    )
    return replace(schema, tables=tuple(tables))


def _refuse_odd_names(*names: str) -> None:
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise NothingFound(
                f"{name!r} cannot be named in skene.yaml: names have letters, digits, _ and $.",
                advice="Name another table or column: --users TABLE --email COLUMN.",
            )
