"""Which targets refuse alerts. This module owns skene_alerts."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from skene_dagster.settings import AlertTarget
from skene_dagster.store.tables import alerts


def name_of(target: AlertTarget) -> str:
    """Name a target by its address, without telling it: with another address it is another target."""
    return hashlib.sha256(f"{target.form} {target.address}".encode()).hexdigest()[:8]


def of(connection: Connection, targets: Sequence[AlertTarget]) -> Iterator[tuple[AlertTarget, str]]:
    """List the targets that refused the last alert, and their answers."""
    known = {row.target: row.answer for row in connection.execute(select(alerts.c.target, alerts.c.answer))}
    yield from ((one, known[name]) for one in targets if one.address and (name := name_of(one)) in known)


def since(connection: Connection) -> dict[str, datetime]:
    """Say when targets refused an alert last, by their names."""
    return {row.target: row.refused_at for row in connection.execute(select(alerts.c.target, alerts.c.refused_at))}


def refused(connection: Connection, target: str, answer: str, now: datetime) -> None:
    """Note that a target refused an alert."""
    values = {"refused_at": now, "answer": answer}
    if not connection.execute(update(alerts).where(alerts.c.target == target).values(**values)).rowcount:
        connection.execute(insert(alerts).values(target=target, **values))


def taken(connection: Connection, target: str) -> None:
    """Note that a target takes alerts."""
    connection.execute(delete(alerts).where(alerts.c.target == target))
