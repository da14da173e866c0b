"""Receipts: an accepted email each, and what became of it as far as the provider said.

This module owns skene_receipts, and the row `opens_forgotten_until` of skene_meta. A receipt is written in the
transaction that makes its send accepted.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Literal

from sqlalchemy import Connection, Insert, String, bindparam, case, exists, func, insert, select, update

from skene_dagster.consent.recipient import is_of_an_address
from skene_dagster.delivery.ledger.scope import StepScope, rows_of
from skene_dagster.delivery.model import ModeName
from skene_dagster.store.sweeping import Swept
from skene_dagster.store.tables import batches, meta, receipts, sends

Bounce = Literal["hard", "blocked", "soft"]
"""The address is dead; it is about us (our DNS, what we sent), not the address; it may work another time."""


AT_ONCE = 1_000
"""Emails of one statement."""


NO_LANGUAGE = "-"
"""In a list of languages: the email was made from the files for everybody."""


@dataclass(frozen=True)
class Receipt:
    """An accepted email, and when what became of it; each moment is the earliest that was told."""

    send_id: str
    provider_id: str | None
    mode: ModeName
    loop: str
    step: str
    recipient: str | None
    accepted_at: datetime
    delivered_at: datetime | None = None
    delayed_at: datetime | None = None
    bounced_at: datetime | None = None
    bounce: Bounce | None = None
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    status_codes: str | None = None
    failed_at: datetime | None = None
    rejected_at: datetime | None = None
    complained_at: datetime | None = None
    opened_at: datetime | None = None
    last_opened_at: datetime | None = None
    clicked_at: datetime | None = None
    last_clicked_at: datetime | None = None
    unsubscribed_at: datetime | None = None
    language: str | None = None
    """The tag of the files that it was made from; None: those for everybody, or it is not known."""


_FORGOTTEN = "opens_forgotten_until"

_RECEIPT = tuple(receipts.c[field.name] for field in fields(Receipt))


def write(
    connection: Connection,
    batch_id: str,
    send_ids: Sequence[str],
    named: Sequence[str],
    domains: Sequence[str],
    languages: Sequence[str] = (),
) -> int:
    """Write those of the sends of a batch that are accepted and have no receipt yet; count them.

    Args:
        send_ids: at least one; whose emails the batch's bytes hold, in their order.
        named: what the list of suppressions knows them by, in the same order; nothing where that is not known.
        domains: of their addresses, likewise.
        languages: of the emails, likewise.
    """
    addresses = [name for name in named if is_of_an_address(name)]
    known = addresses if len(addresses) == len(send_ids) else [None] * len(send_ids)
    places = domains if len(domains) == len(send_ids) else [None] * len(send_ids)
    tags = [None if tag == NO_LANGUAGE else tag for tag in languages]
    tags = tags if len(tags) == len(send_ids) else [None] * len(send_ids)
    values: dict[str, object] = {"batch": batch_id}
    for n, one in enumerate(zip(send_ids, known, places, tags, strict=True)):
        values |= {f"{name}_{n}": value for name, value in zip(_TOLD, one, strict=True)}
    return connection.execute(_write(len(send_ids)), values).rowcount


_TOLD = ("send", "recipient", "domain", "language")


@lru_cache(maxsize=128)
def _write(count: int) -> Insert:
    """Say once for each size how receipts are written: to build it takes longer than to execute it."""
    binds = [[bindparam(f"{name}_{n}", type_=String) for name in _TOLD] for n in range(count)]
    kept = ("send_id", "provider_id", "mode", "loop", "step", "user_id", "accepted_at")
    told = (case(*((sends.c.send_id == one[0], one[n]) for one in binds)) for n in range(1, len(_TOLD)))
    rows = select(*(sends.c[name] for name in kept), *told)
    accepted = rows.where(
        sends.c.batch_id == bindparam("batch"),
        sends.c.send_id.in_([one[0] for one in binds]),
        sends.c.state == "accepted",
        # What is settled a second time, after a COMMIT without an answer, has one.
        ~exists().where(receipts.c.send_id == sends.c.send_id),
    )
    return insert(receipts).from_select([*kept, *_TOLD[1:]], accepted)


def read(connection: Connection, send_ids: Collection[str], provider_ids: Collection[str]) -> list[Receipt]:
    """List the receipts of some sends, and of emails by their provider's ids; nobody else changes them meanwhile."""
    by_provider = select(receipts.c.send_id).where(receipts.c.provider_id.in_(provider_ids))
    # Locked by their primary keys, in the order of these: two that read at once do not wait for each other in a ring.
    wanted = sorted({*send_ids, *connection.execute(by_provider).scalars()})
    locked = select(*_RECEIPT).where(receipts.c.send_id.in_(wanted)).order_by(receipts.c.send_id).with_for_update()
    return [Receipt(*row) for row in connection.execute(locked)]


def change(connection: Connection, send_id: str, changes: Mapping[str, object]) -> None:
    """Write down what was told of an email; `read` has it locked."""
    connection.execute(update(receipts).where(receipts.c.send_id == send_id).values(changes))


def modes_of(connection: Connection, batch_ids: Collection[str]) -> dict[str, ModeName]:
    """Say in which mode some batches were sent; of those that the ledger does not know, nothing."""
    query = select(batches.c.batch_id, batches.c.mode).where(batches.c.batch_id.in_(batch_ids))
    return {row.batch_id: row.mode for row in connection.execute(query)} if batch_ids else {}


def accepted_since(connection: Connection, scope: StepScope, since: datetime, most: int) -> int:
    """Count the emails of a step that were accepted after a moment, up to a number."""
    mine = (rows_of(scope, receipts), receipts.c.accepted_at > since)
    some = select(receipts.c.send_id).where(*mine).order_by(receipts.c.accepted_at).limit(most)
    return int(connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def not_unsubscribed(connection: Connection, send_ids: Sequence[str]) -> list[str]:
    """Name those of some emails by whose link nobody is known to have said "no"."""
    found: list[str] = []
    for start in range(0, len(send_ids), AT_ONCE):
        some = receipts.c.send_id.in_(send_ids[start : start + AT_ONCE])
        query = select(receipts.c.send_id).where(some, receipts.c.unsubscribed_at.is_(None))
        found += connection.execute(query.order_by(receipts.c.send_id)).scalars()
    return found


@dataclass(frozen=True)
class Judged:
    """What the breaker judges of some emails."""

    accepted: int = 0
    complained: int = 0
    bounced: int = 0
    said_no: int = 0


def judged_within(connection: Connection, mode: str, loop: str | None, since: datetime, until: datetime) -> Judged:
    """Count the emails of a loop, or of all, that were accepted within a time, receipt by receipt."""
    told = receipts.c
    mine = [told.mode == mode, told.accepted_at > since, told.accepted_at < until]
    if loop is not None:
        mine.append(told.loop == loop)
    kinds = (told.complained_at.is_not(None), told.bounce == "hard", told.unsubscribed_at.is_not(None))
    numbers = (func.count(case((kind, 1))) for kind in kinds)
    row = connection.execute(select(func.count(), *numbers).where(*mine)).one()
    return Judged(*map(int, row))


@dataclass(frozen=True)
class PastMail:
    """What became of one of a recipient's emails."""

    bounced_at: datetime | None
    bounce: Bounce | None
    delivered_at: datetime | None


def latest(connection: Connection, recipient: str, since: datetime | None, limit: int) -> list[PastMail]:
    """List what became of the last real emails to an address, the newest first.

    Args:
        since: those that were accepted after it; None: all.
    """
    mine = [receipts.c.recipient == recipient, receipts.c.mode == "live"]
    if since is not None:
        mine.append(receipts.c.accepted_at > since)
    told = (receipts.c[field.name] for field in fields(PastMail))
    query = select(*told).where(*mine).order_by(receipts.c.accepted_at.desc(), receipts.c.send_id).limit(limit)
    return [PastMail(*row) for row in connection.execute(query)]


def known_emails(connection: Connection, provider_ids: Collection[str]) -> set[str]:
    """Name those of some emails, by the provider's ids, that have a receipt."""
    query = select(receipts.c.provider_id).where(receipts.c.provider_id.in_(provider_ids))
    return set(connection.execute(query).scalars())


def opens_forgotten_until(connection: Connection) -> datetime | None:
    """Say of the emails of which time nothing is known any more of who opened them; None: of all it is."""
    found = connection.execute(select(meta.c.value).where(meta.c.name == _FORGOTTEN)).scalar_one_or_none()
    return None if found is None else datetime.fromisoformat(found)


def opens_are_forgotten(connection: Connection, until: datetime) -> None:
    """Write down that they are forgotten, so that nobody looks at these emails again."""
    known = opens_forgotten_until(connection)
    if known is None:
        connection.execute(insert(meta).values(name=_FORGOTTEN, value=until.isoformat()))
    elif until > known:
        connection.execute(update(meta).where(meta.c.name == _FORGOTTEN).values(value=until.isoformat()))


def forget_opens(
    connection: Connection, *, after: datetime | None, before: datetime, since: datetime | None, size: int
) -> Swept:
    """Forget when emails were opened and clicked, of at most so many that were accepted before a moment.

    Args:
        after: of the emails before it they are forgotten.
        since: where to begin: what `last` said of the transaction before.
    """
    begin = max((moment for moment in (after, since) if moment is not None), default=None)
    which = [receipts.c.accepted_at < before, receipts.c.opened_at.is_not(None) | receipts.c.clicked_at.is_not(None)]
    which += [] if begin is None else [receipts.c.accepted_at >= begin]
    query = select(receipts.c.send_id, receipts.c.accepted_at).where(*which)
    rows = connection.execute(query.order_by(receipts.c.accepted_at).limit(size)).all()
    if rows:
        moments = dict.fromkeys(("opened_at", "last_opened_at", "clicked_at", "last_clicked_at"))
        mine = receipts.c.send_id.in_([row.send_id for row in rows])
        connection.execute(update(receipts).where(mine).values(moments))
    return Swept(len(rows), rows[-1].accepted_at if len(rows) == size else None)
