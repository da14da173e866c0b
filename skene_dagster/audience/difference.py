"""What a refresh changes: the staged users against those who are inside, counted and then written chunk by chunk.

All statements compare the key inside the database, in the key's own type and collation, and none uses OFFSET.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Table,
    TableClause,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    null,
    select,
    update,
)

from skene_dagster.audience.walk import Span
from skene_dagster.store.sweeping import Swept, sweep
from skene_dagster.store.tables import OPEN, Moment, segment_members

members = segment_members


@dataclass(frozen=True)
class Survey:
    """How the staged users differ from those who are inside."""

    inside: int
    leave: int
    expected: int
    """Of those who leave, how many because of our own `set`."""
    changed: int
    """Of those who stay, how many have other attributes now."""


def inside(segment: str) -> ColumnElement[bool]:
    """Say that a row of members is of a user who is inside."""
    return and_(members.c.segment == segment, members.c.exited_at == OPEN)


def survey(connection: Connection, segment: str, staging: Table) -> Survey:
    """Count those inside, those of them who leave, and those whose attributes changed."""
    leaves = staging.c.user_id.is_(None)
    changed = _attributes_differ(staging) if "attributes" in staging.c else literal(0) == literal(1)
    # TiDB, 2026-11: without statistics of the new table it looks up each member alone, four times as slow.
    merge = f"/*+ MERGE_JOIN({members.name}, {staging.name}) */"
    row = connection.execute(
        select(
            func.count(),
            _how_many(leaves),
            _how_many(and_(leaves, members.c.exit_reason == "set")),
            _how_many(and_(not_(leaves), changed)),
        )
        .prefix_with(merge, dialect="mysql")
        .select_from(members.outerjoin(staging, staging.c.user_id == members.c.user_id))
        .where(inside(segment))
    ).one()
    return Survey(*(int(n or 0) for n in row))


def forget_entries(connection: Connection, segment: str, staging: Table, as_of: datetime, span: Span) -> None:
    """Delete the members who entered at this very as_of and are not staged now: they never were inside."""
    connection.execute(
        delete(members).where(
            inside(segment),
            members.c.entered_at == as_of,
            span.of(members.c.user_id),
            not_(_staged(staging, span)),
        )
    )


def forget_exits(connection: Connection, segment: str, staging: Table, as_of: datetime, span: Span) -> None:
    """Open again the members who exited at this very as_of and are staged now: they never left."""
    connection.execute(
        update(members)
        .where(_exited(segment, as_of), span.of(members.c.user_id), _staged(staging, span))
        .values(exited_at=OPEN, exit_reason=case((members.c.exit_reason == "set", "set"), else_=null()))
    )


def write_exits(connection: Connection, segment: str, staging: Table, as_of: datetime, span: Span) -> None:
    """Close the members who are not staged; a `set` that was announced stays the reason."""
    connection.execute(
        update(members)
        .where(inside(segment), span.of(members.c.user_id), not_(_staged(staging, span)))
        .values(exited_at=as_of, exit_reason=func.coalesce(members.c.exit_reason, "left"))
    )


def mark_gone(
    connection: Connection, segment: str, users: TableClause, users_key: str, as_of: datetime, span: Span
) -> None:
    """Say of those who left at this as_of and are no users any more that they are gone."""
    connection.execute(
        update(members)
        .where(
            _exited(segment, as_of),
            span.of(members.c.user_id),
            not_(exists().where(users.c[users_key] == members.c.user_id)),
        )
        .values(exit_reason="gone")
    )


def write_attributes(connection: Connection, segment: str, staging: Table, span: Span) -> None:
    """Bring the attributes of those who stay up to date, where they changed."""
    connection.execute(
        update(members)
        .where(
            inside(segment),
            span.of(members.c.user_id),
            staging.c.user_id == members.c.user_id,
            _attributes_differ(staging),
        )
        .values(attributes=staging.c.attributes)
    )


def write_entries(
    connection: Connection,
    segment: str,
    staging: Table,
    as_of: datetime,
    span: Span,
    *,
    known: tuple[TableClause, str] | None,
    any_inside: bool,
) -> None:
    """Open a row for each staged user who is not inside.

    Args:
        known: the users table and its key, to take the key as the users table spells it; None where the staged
            keys are its own.
        any_inside: False when nobody is, so that nobody need be looked for.
    """
    key = staging.c.user_id
    source = select(
        literal(segment),
        literal(OPEN, Moment),
        known[0].c[known[1]] if known else key,
        literal(as_of, Moment),
        staging.c.attributes if "attributes" in staging.c else null(),
    ).where(span.of(key))
    if known:
        source = source.join_from(staging, known[0], known[0].c[known[1]] == key)
    if any_inside:
        source = source.where(
            not_(exists().where(inside(segment), members.c.user_id == key, span.of(members.c.user_id)))
        )
    into = ["segment", "exited_at", "user_id", "entered_at", "attributes"]
    connection.execute(insert(members).from_select(into, source))


def count_inside(connection: Connection, segment: str, as_of: datetime) -> tuple[int, int]:
    """Count those inside, and those of them who entered at this as_of."""
    total, entered = connection.execute(
        select(func.count(), _how_many(members.c.entered_at == as_of)).where(inside(segment))
    ).one()
    return int(total), int(entered or 0)


def count_exited(connection: Connection, segment: str, as_of: datetime) -> int:
    """Count those who left at this as_of."""
    return connection.execute(select(func.count()).select_from(members).where(_exited(segment, as_of))).scalar_one()


def forget_exited(
    connection: Connection, segment: str, *, before: datetime, since: datetime | None, size: int
) -> Swept:
    """Delete members who left before a moment; that of the segment's last refresh is the latest that may be said."""
    mine = members.c.segment == segment
    return sweep(connection, members, members.c.exited_at, "PRIMARY", mine, before=before, since=since, size=size)


def _exited(segment: str, as_of: datetime) -> ColumnElement[bool]:
    return and_(members.c.segment == segment, members.c.exited_at == as_of)


def _staged(staging: Table, span: Span) -> ColumnElement[bool]:
    return exists().where(staging.c.user_id == members.c.user_id, span.of(staging.c.user_id))


def _attributes_differ(staging: Table) -> ColumnElement[bool]:
    return members.c.attributes.is_distinct_from(staging.c.attributes)


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0), type_=Integer)
