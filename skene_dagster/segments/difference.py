"""What a refresh changes: who enters, who leaves, and whose attributes differ; found once, then written by their keys.

All statements compare the key inside the database, in the key's own type and collation, and none uses OFFSET.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Subquery,
    Table,
    TableClause,
    Text,
    Update,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    null,
    or_,
    select,
    union_all,
    update,
)

from skene_dagster.segments import staging
from skene_dagster.store import staging_tables
from skene_dagster.store.engine import is_sqlite
from skene_dagster.store.key_ranges import Span
from skene_dagster.store.keys import Key
from skene_dagster.store.leasing.leases import Lease
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import OPEN, Moment, segment_members

ENTERS, LEAVES, EXPECTED, DIFFERS = "enters", "leaves", "set", "differs"
"""What becomes of a user; EXPECTED leaves because our own `set` was written since the last refresh."""


@dataclass(frozen=True)
class Segment:
    """Whose history it is."""

    name: str
    """As `segment_name` has it."""
    members: Table = segment_members
    """Where it is: of users, or of accounts."""


@dataclass(frozen=True)
class Survey:
    """How many change."""

    enter: int
    leave: int
    expected: int
    """Of those who leave, how many because of our own `set`."""
    differ: int
    """Of those who stay, how many have other attributes now."""


def inside(segment: Segment) -> ColumnElement[bool]:
    """Say that a row of members is of a user who is inside."""
    return and_(segment.members.c.segment == segment.name, segment.members.c.exited_at == OPEN)


def keys_inside(segment: Segment) -> Select[tuple[object]]:
    """Select the keys of those who are inside."""
    return select(segment.members.c.user_id).where(inside(segment))


def create(connection: Connection, lease: Lease, key: Key, *, with_attributes: bool) -> Table:
    """Create the table of the changes."""
    return staging_tables.fresh(
        connection,
        lease,
        lease.name,
        staging.user_id(key, may_be_null=False),
        Column("what", String(8)),
        *([Column("attributes", Text)] if with_attributes else []),
        part="changes",
    )


def find(
    connection: Connection,
    segment: Segment,
    changes: Table,
    answer: Table | Subquery,
    span: Span,
    *,
    set_since: datetime | None,
) -> int:
    """Write down what an answer changes, for the users of a range; return how many rows.

    Args:
        answer: users once each, by user_id, with their attributes if there are any. A row without a user is left out.
        set_since: members for whom `set` was written since this moment are expected to leave; None: nobody is.
    """
    both = union_all(*_sides(answer, segment, span)).subquery("both_sides")
    leaves, enters = func.min(both.c.is_inside) == 1, func.max(both.c.is_inside) == 0
    what = case((leaves, LEAVES), (enters, ENTERS), else_=DIFFERS)
    differ = []
    attributes = []
    if "attributes" in both.c:
        text = both.c.attributes
        attributes = [func.max(case((both.c.is_inside == 0, text)))]
        # A NULL on one side alone is neither the least nor the greatest.
        differ = [func.min(text) != func.max(text), func.count(text) == 1]
    # MariaDB 10.11, 2026-11: it would group more than 300,000 keys in a table on disk, four times slower.
    found = (
        select(both.c.user_id, what, *attributes)
        .group_by(both.c.user_id)
        .having(or_(leaves, enters, *differ))
        .prefix_with("SQL_BIG_RESULT", dialect="mysql")
    )
    rows = connection.execute(insert(changes).from_select(list(changes.c), found)).rowcount
    if set_since is not None:
        _expect(connection, segment, changes, span, set_since)
    return rows


def survey(connection: Connection, changes: Table) -> Survey:
    """Count the changes."""
    counted = connection.execute(select(changes.c.what, func.count()).group_by(changes.c.what)).all()
    found = {what: int(number) for what, number in counted}
    expected = found.get(EXPECTED, 0)
    return Survey(found.get(ENTERS, 0), found.get(LEAVES, 0) + expected, expected, found.get(DIFFERS, 0))


def forget(connection: Connection, segment: Segment, as_of: datetime, span: Span) -> None:
    """Take back what was written at an as_of: who entered never was inside, and who exited never left."""
    key = segment.members.c.user_id
    connection.execute(
        delete(segment.members).where(inside(segment), segment.members.c.entered_at == as_of, span.of(key))
    )
    connection.execute(
        update(segment.members).where(_exited(segment, as_of), span.of(key)).values(exited_at=OPEN, exit_reason=null())
    )


def written_at(segment: Segment, as_of: datetime) -> list[Select[tuple[object]]]:
    """Select the keys of those whose history was written at an as_of."""
    keys = select(segment.members.c.user_id)
    return [keys.where(inside(segment), segment.members.c.entered_at == as_of), keys.where(_exited(segment, as_of))]


def write_exits(connection: Connection, segment: Segment, changes: Table, as_of: datetime, span: Span) -> None:
    """Close the members who leave, and say whether our own `set` is the reason."""
    for what, reason in ((LEAVES, "left"), (EXPECTED, "set")):
        connection.execute(
            _update(connection, changes, segment, what, span).values(exited_at=as_of, exit_reason=reason)
        )


def mark_gone(
    connection: Connection, segment: Segment, users: TableClause, users_key: str, as_of: datetime, span: Span
) -> None:
    """Say of those who left at this as_of and are no users any more that they are gone."""
    connection.execute(
        update(segment.members)
        .where(
            _exited(segment, as_of),
            span.of(segment.members.c.user_id),
            not_(exists().where(users.c[users_key] == segment.members.c.user_id)),
        )
        .values(exit_reason="gone")
    )


def write_attributes(connection: Connection, segment: Segment, changes: Table, span: Span) -> None:
    """Bring the attributes of those who stay up to date, where they differ."""
    connection.execute(
        _update(connection, changes, segment, DIFFERS, span)
        .where(changes.c.user_id == segment.members.c.user_id)
        .values(attributes=changes.c.attributes)
    )


def write_entries(
    connection: Connection,
    segment: Segment,
    changes: Table | Subquery,
    as_of: datetime,
    span: Span,
    *,
    known: tuple[TableClause, str] | None,
    any_inside: bool,
) -> int:
    """Open a row for each user who enters and is not inside; return how many rows.

    Args:
        changes: or the answer, where all of it enters; a row without a user is left out.
        known: the users table and its key, to take the key as the users table spells it; None where the changes'
            keys are its own.
        any_inside: False when none of them is, so that nobody need be looked for.
    """
    key = changes.c.user_id
    source = select(
        literal(segment.name),
        literal(OPEN, Moment),
        known[0].c[known[1]] if known else key,
        literal(as_of, Moment),
        changes.c.attributes if "attributes" in changes.c else null(),
    ).where(span.of(key), key.is_not(None), *_of(changes, ENTERS))
    if known:
        source = source.join_from(changes, known[0], known[0].c[known[1]] == key)
    if any_inside:
        source = source.where(
            not_(exists().where(inside(segment), segment.members.c.user_id == key, span.of(segment.members.c.user_id)))
        )
    into = ["segment", "exited_at", "user_id", "entered_at", "attributes"]
    return connection.execute(insert(segment.members).from_select(into, source)).rowcount


def any_inside(connection: Connection, segment: Segment) -> bool:
    """Whether anybody is inside."""
    return connection.execute(keys_inside(segment).limit(1)).first() is not None


def count_inside(connection: Connection, segment: Segment, as_of: datetime) -> tuple[int, int]:
    """Count those inside, and those of them who entered at this as_of."""
    entered = func.sum(case((segment.members.c.entered_at == as_of, 1), else_=0), type_=Integer)
    total, new = connection.execute(select(func.count(), entered).where(inside(segment))).one()
    return int(total), int(new or 0)


def count_exited(connection: Connection, segment: Segment, as_of: datetime) -> int:
    """Count those who left at this as_of."""
    return connection.execute(
        select(func.count()).select_from(segment.members).where(_exited(segment, as_of))
    ).scalar_one()


def forget_exited(
    connection: Connection, segment: Segment, *, before: datetime, since: datetime | None, size: int
) -> Swept:
    """Delete members who left before a moment; that of the segment's last refresh is the latest that may be said."""
    mine = segment.members.c.segment == segment.name
    return sweep(
        connection, segment.members, segment.members.c.exited_at, "PRIMARY", mine, before=before, since=since, size=size
    )


def _exited(segment: Segment, as_of: datetime) -> ColumnElement[bool]:
    return and_(segment.members.c.segment == segment.name, segment.members.c.exited_at == as_of)


def _sides(answer: Table | Subquery, segment: Segment, span: Span) -> tuple[Select[Any], Select[Any]]:
    """Select what the history and an answer say of the users of a range, in columns of the same names."""
    before = [segment.members.c.user_id, literal(1).label("is_inside")]
    now = [answer.c.user_id, literal(0)]
    if "attributes" in answer.c:
        before.append(segment.members.c.attributes)
        now.append(answer.c.attributes)
    return (
        select(*before).where(inside(segment), span.of(segment.members.c.user_id)),
        select(*now).where(span.of(answer.c.user_id), answer.c.user_id.is_not(None)),
    )


def _expect(connection: Connection, segment: Segment, changes: Table, span: Span, set_since: datetime) -> None:
    """Tell those who leave because of our own `set` from the others."""
    # Looked up for the few who leave: of all who are inside it would make what is sorted half as wide again.
    was_set = exists().where(
        inside(segment), segment.members.c.user_id == changes.c.user_id, segment.members.c.set_at >= set_since
    )
    leaving = and_(changes.c.what == LEAVES, span.of(changes.c.user_id), was_set)
    connection.execute(update(changes).where(leaving).values(what=EXPECTED))


def _of(changes: Table | Subquery, what: str) -> list[ColumnElement[bool]]:
    return [changes.c.what == what] if "what" in changes.c else []


def _update(connection: Connection, changes: Table, segment: Segment, what: str, span: Span) -> Update:
    """Update the members of whom something is to be changed."""
    key = changes.c.user_id
    wanted = [changes.c.what == what, span.of(key)]
    if is_sqlite(connection):
        return update(segment.members).where(inside(segment), segment.members.c.user_id.in_(select(key).where(*wanted)))
    # MariaDB 10.11, 2026-11: with IN in place of the join it looks at every member.
    hint = f"/*+ INL_JOIN({segment.members.name}) */"
    return (
        update(segment.members)
        .prefix_with(hint, dialect="mysql")
        .where(inside(segment), segment.members.c.user_id == key, *wanted)
    )
