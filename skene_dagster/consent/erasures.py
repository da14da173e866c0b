"""Who was erased of late: what is needed to go on where something has to wait, and to write no address down again.

This module owns skene_erasures. A row holds neither a users key nor an address: the hashes by which the list of
suppressions knows the person, the key that stands in the place of theirs, and the batches whose bytes still hold an
email to them. It goes after a month.
"""

import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from skene_dagster.store.tables import erasures, suppressions

KEPT = timedelta(days=30)
"""So long a bounce or a complaint of somebody who was erased may still come in, which names their address."""

LONGEST_WAIT = timedelta(days=7)
"""How long the bytes of a batch in doubt stay at most."""


@dataclass(frozen=True)
class Erasure:
    """Somebody who was erased."""

    erasure_id: str
    user_id: object
    """What stands in the place of their key; None where they had no send."""
    recipients: frozenset[str]
    """Their names, as `Recipients` writes them."""
    waits_for: frozenset[str]
    """Batches whose bytes hold an email to them, and that may have been sent."""
    erased_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When nothing of them waits any more, at the latest."""
        return self.erased_at + LONGEST_WAIT


def begin(connection: Connection, user_id: object, recipients: Collection[str], now: datetime) -> Erasure:
    """Write down that somebody is erased."""
    new = Erasure(uuid.uuid4().hex, user_id, frozenset(recipients), frozenset(), now)
    connection.execute(
        insert(erasures).values(
            erasure_id=new.erasure_id, user_id=user_id, recipients=" ".join(sorted(recipients)), erased_at=now
        )
    )
    return new


def wait(
    connection: Connection, erasure_id: str, batch_ids: Collection[str], *, over: Collection[str] = ()
) -> frozenset[str]:
    """Write down for which batches an erasure waits, too, and for which no more; return those that it waits for then.

    What it came to wait for meanwhile stays.
    """
    mine = erasures.c.erasure_id == erasure_id
    known = connection.execute(select(erasures.c.waits_for).where(mine).with_for_update()).scalar_one() or ""
    waits = frozenset({*known.split()} - {*over} | {*batch_ids})
    connection.execute(update(erasures).where(mine).values(waits_for=" ".join(sorted(waits)) or None))
    return waits


def read(connection: Connection) -> list[Erasure]:
    """List all that are known, the oldest first."""
    query = select(erasures).order_by(erasures.c.erased_at, erasures.c.erasure_id)
    return [
        Erasure(
            row.erasure_id,
            row.user_id,
            frozenset(row.recipients.split()),
            frozenset((row.waits_for or "").split()),
            row.erased_at,
        )
        for row in connection.execute(query)
    ]


def waiting(connection: Connection) -> list[Erasure]:
    """List those that wait for an email that may have been sent, the oldest first."""
    return [one for one in read(connection) if one.waits_for]


def names(connection: Connection) -> frozenset[str]:
    """Name whose address is not to be written down again."""
    known = connection.execute(select(erasures.c.recipients)).scalars()
    return frozenset(name for text in known for name in text.split())


def forget(connection: Connection, now: datetime) -> int:
    """Delete what is no longer needed; return how many rows it was."""
    old = (erasures.c.waits_for.is_(None), erasures.c.erased_at < now - KEPT)
    return connection.execute(delete(erasures).where(*old)).rowcount


def without(text: str | None, words: Iterable[str]) -> str | None:
    """Leave some words out of a text, whether they are written with capitals or without."""
    for word in words:
        # Not by places in text.lower(), which may be longer than the text.
        text = text and re.sub(re.escape(word), "…", text, flags=re.IGNORECASE)
    return text


def addresses_of(connection: Connection, recipients: Collection[str]) -> set[str]:
    """List the addresses that are known of some recipients, in the clear."""
    mine = (suppressions.c.recipient.in_(recipients), suppressions.c.address.is_not(None))
    return set(connection.execute(select(suppressions.c.address).where(*mine)).scalars())


def unname(connection: Connection, recipients: Collection[str], words: Collection[str]) -> int:
    """Forget the addresses of some recipients; what they said no to stays. Return how many rows were changed.

    Args:
        words: what may not stay in what was written about it: their addresses.
    """
    changed = 0
    kept = ("address", "source", "lift_reason")
    mine = select(suppressions).where(suppressions.c.recipient.in_(recipients)).with_for_update()
    for row in connection.execute(mine.order_by(*suppressions.primary_key)).mappings().all():
        values = {name: without(row[name], words) for name in kept} | {"address": None}
        if any(values[name] != row[name] for name in kept):
            connection.execute(update(suppressions).where(*_key(row)).values(values))
            changed += 1
    return changed


def _key(row: RowMapping) -> list[ColumnElement[bool]]:
    return [column == row[column.name] for column in suppressions.primary_key]
