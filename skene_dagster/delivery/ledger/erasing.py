"""Take a person out of the ledger: what was decided stays, and counts, but nobody can tell any more about whom.

Their sends get a key that is nobody's, and ids that nothing else has; the batches that list the old ids list the new
ones. Bytes that hold an email to them are thrown away where the provider has none of it for certain: the batch is
reissued. Where it may have it, they stay, for only the same bytes may be repeated under a key that was tried.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, select, tuple_, update

from skene_dagster.consent.erasures import without
from skene_dagster.delivery.ledger.decisions.account_sends import put_back
from skene_dagster.delivery.ledger.moves import sends_become
from skene_dagster.delivery.ledger.reading import BATCH, NOT_DONE
from skene_dagster.delivery.ledger.scope import ALL_LOOPS, StepScope, rows_of
from skene_dagster.delivery.ledger.settling import reissue
from skene_dagster.delivery.model import NEXT_TICK, Batch, SendState
from skene_dagster.store.subjects import ACCOUNT_SENDS
from skene_dagster.store.tables import batches, receipts, recovered, sends, steps

LONG_AGO = datetime(1970, 1, 1)
"""`frozen_at` of bytes that may not be used for a first attempt any more."""


@dataclass(frozen=True)
class SendOf:
    """A send, of somebody who is to be erased."""

    mode: str
    loop: str
    step: str
    user_id: object
    occurrence: str
    send_id: str
    state: SendState
    batch_id: str | None
    provider_id: str | None
    as_of: datetime

    @property
    def key(self) -> tuple[object, ...]:
        """The primary key of its row."""
        return self.mode, self.loop, self.step, self.user_id, self.occurrence


_SEND = tuple(sends.c[name] for name in SendOf.__annotations__)
_KEY = tuple(sends.primary_key)


def sends_to(connection: Connection, user_id: object, limit: int) -> list[SendOf]:
    """List sends to a user, at most so many; it looks at all sends, for no index has them by user alone."""
    query = select(*_SEND).where(sends.c.user_id == user_id).order_by(*_KEY).limit(limit)
    return [SendOf(*row) for row in connection.execute(query)]


def sends_left_in(connection: Connection, batch_ids: Collection[str], user_id: object) -> list[SendOf]:
    """List those sends of a key that some batches were frozen with and that still have their old ids."""
    found: list[SendOf] = []
    for batch in _batches(connection, batches.c.batch_id.in_(batch_ids)):
        scope = StepScope(batch.mode, batch.loop, batch.step)
        mine = (rows_of(scope, sends), sends.c.user_id == user_id, sends.c.send_id.in_(batch.frozen_sends))
        found += [SendOf(*row) for row in connection.execute(select(*_SEND).where(*mine))]
    return found


def sends_in_pages(connection: Connection, user_id: object, limit: int) -> list[SendOf]:
    """List sends to a user of the steps that decide, as `sends_to`; pages that are being decided come to their end.

    None begins until this transaction ends.
    """
    # A page holds its step's row, and then wants the one of all loops: who holds that one may not wait for a page. A
    # step that is not listed yet has begun no page before now.
    scope, is_a_step_s = (steps.c.mode, steps.c.loop, steps.c.step), steps.c.loop != ALL_LOOPS
    scopes = [StepScope(*row) for row in connection.execute(select(*scope).where(is_a_step_s).order_by(*scope))]
    for one in scopes:
        connection.execute(select(steps.c.fence).where(rows_of(one, steps)).with_for_update())
    found: list[SendOf] = []
    for one in scopes:
        mine = (rows_of(one, sends), sends.c.user_id == user_id)
        query = select(*_SEND).where(*mine).order_by(*_KEY).limit(limit)
        found += [SendOf(*row) for row in connection.execute(query)]
    return found[:limit]


def forget_receipts(connection: Connection, send_ids: Collection[str]) -> int:
    """Delete what became of some emails; return how many rows it was."""
    return connection.execute(delete(receipts).where(receipts.c.send_id.in_(send_ids))).rowcount


def forget_recovered(connection: Connection, send_ids: Collection[str]) -> int:
    """Delete what a ledger from a backup was told of some emails; return how many rows it was."""
    return connection.execute(delete(recovered).where(recovered.c.send_id.in_(send_ids))).rowcount


def unname(
    connection: Connection, some: Sequence[SendOf], user_id: object, words: Collection[str], now: datetime
) -> frozenset[str]:
    """Take a person out of their sends, and out of the batches that hold them. Again, it goes on with what waited.

    Args:
        user_id: what stands in their place from now on: nobody's key.
        words: what may not stay in what was said of a batch: their addresses.

    Returns:
        The batches that have to keep their bytes for now: the provider may have them.
    """
    some, locked = _locked(connection, some)
    waiting, home = set(), {}
    for batch, has_bytes in locked:
        home[batch.batch_id] = batch.batch_id
        if batch.is_unresolved:
            if has_bytes:
                waiting.add(batch.batch_id)
                # Once it turns out that the provider has none of it, it is rendered again before it is tried again.
                _change(connection, batch.batch_id, frozen_at=LONG_AGO)
        elif batch.state == "frozen":
            child = reissue(connection, batch, now)
            assert child is not None, "it is locked"
            home[batch.batch_id] = child
    for one in some:
        if one.state == "reserved" and one.batch_id in home and one.batch_id not in waiting:
            if _is_for_another(connection, one, now):
                connection.execute(delete(sends).where(sends.c.send_id == one.send_id, sends.c.state == "reserved"))
                continue
            skipped = sends_become(home[one.batch_id], "skipped").where(sends.c.send_id == one.send_id)
            connection.execute(skipped.values(reason="erased", decided_at=now))
    new_ids = {one.send_id: uuid.uuid4().hex for one in some if one.batch_id not in waiting}
    _rename(connection, some, user_id, new_ids)
    touched = {one.batch_id for one in some if one.batch_id is not None} | set(home.values())
    _rewrite(connection, _with_parents(connection, touched), new_ids, words)
    return frozenset(waiting)


def keep_bytes(connection: Connection, batch_ids: Collection[str]) -> set[str]:
    """Name those of some batches that the provider may have, and that have their bytes still."""
    has_bytes = (batches.c.batch_id.in_(batch_ids), batches.c.payload.is_not(None))
    return {batch.batch_id for batch in _batches(connection, and_(*has_bytes)) if batch.is_unresolved}


def drop_bytes(connection: Connection, batch_ids: Collection[str]) -> None:
    """Throw away the bytes of batches that have waited for too long; what they hold is listed in `send_ids`."""
    gone = update(batches).where(batches.c.batch_id.in_(batch_ids))
    connection.execute(gone.values(payload=None, recipients=None, domains=None, languages=None))


def _locked(connection: Connection, some: Sequence[SendOf]) -> tuple[list[SendOf], list[tuple[Batch, bool]]]:
    """Read sends again, with the batches of those that are not done, which nobody else changes meanwhile."""
    has_bytes = batches.c.payload.is_not(None)
    keys = [one.key for one in some]
    while True:
        found = _read(connection, keys)
        ids = {one.batch_id for one in found if one.state in NOT_DONE}
        locked = select(*BATCH, has_bytes).where(batches.c.batch_id.in_(ids)).order_by(batches.c.batch_id)
        rows = [(Batch(*row[:-1]), bool(row[-1])) for row in connection.execute(locked.with_for_update())]
        again = _read(connection, keys)
        if {one.batch_id for one in again if one.state in NOT_DONE} <= ids:
            return again, rows


def _read(connection: Connection, keys: Sequence[tuple[object, ...]]) -> list[SendOf]:
    return [SendOf(*row) for row in connection.execute(select(*_SEND).where(tuple_(*_KEY).in_(keys)))]


def _is_for_another(connection: Connection, one: SendOf, now: datetime) -> bool:
    """Have the account decided again that an email is about: another one of it may be mailed; False: it has none."""
    again = {"reason": "new_recipient", "detail": None, "decided_at": now, "outranked_at": now}
    key = {"mode": one.mode, "loop": one.loop, "step": one.step, "user_id": one.user_id, "occurrence": one.occurrence}
    return put_back(connection, key, {**again, "as_of": one.as_of, "ask_at": one.as_of + NEXT_TICK})


def _rename(connection: Connection, some: Sequence[SendOf], user_id: object, new_ids: Mapping[str, str]) -> None:
    if not some:
        return
    bound = {column.name: bindparam(f"old_{column.name}", type_=column.type) for column in _KEY}
    mine = [column == bound[column.name] for column in _KEY]
    rename = (
        update(sends)
        .where(*mine)
        .values(
            user_id=bindparam("new_user_id", type_=sends.c.user_id.type),
            send_id=bindparam("new_send_id"),
            provider_id=None,
            detail=None,
        )
    )
    rows = [
        {f"old_{column.name}": value for column, value in zip(_KEY, one.key, strict=True)}
        | {"new_user_id": user_id, "new_send_id": new_ids.get(one.send_id, one.send_id)}
        for one in some
    ]
    connection.execute(rename, rows)
    of_them = {"user_id": ACCOUNT_SENDS.c.recipient_id, "occurrence": ACCOUNT_SENDS.c.send_occurrence}
    theirs = [of_them.get(name, ACCOUNT_SENDS.c[name]) == bound[name] for name in bound]
    recipient = {"recipient_id": bindparam("new_user_id", type_=sends.c.user_id.type)}
    connection.execute(update(ACCOUNT_SENDS).where(*theirs).values(recipient), rows)


def _with_parents(connection: Connection, batch_ids: Collection[str]) -> set[str]:
    """Add the batches that some were cut out of, or replace: their bytes held the same emails."""
    found, newest = set(batch_ids), set(batch_ids)
    while newest:
        parents = select(batches.c.parent_id).where(batches.c.batch_id.in_(newest), batches.c.parent_id.is_not(None))
        newest = set(connection.execute(parents).scalars()) - found
        found |= newest
    return found


def _rewrite(
    connection: Connection, batch_ids: Collection[str], new_ids: Mapping[str, str], words: Collection[str]
) -> None:
    """Write new ids in the place of old ones, and leave addresses out of what a provider said."""
    for batch in _batches(connection, batches.c.batch_id.in_(batch_ids)):
        values: dict[str, object] = {}
        ids = " ".join(new_ids.get(one, one) for one in batch.frozen_sends)
        if batch.send_ids is not None and ids != batch.send_ids:
            values["send_ids"] = ids
        for name, said in (("error", batch.error), ("refusal", batch.refusal)):
            if (kept := without(said, words)) != said:
                values[name] = kept
        if values:
            _change(connection, batch.batch_id, **values)


def _batches(connection: Connection, which: ColumnElement[bool]) -> list[Batch]:
    rows = connection.execute(select(*BATCH).where(which).order_by(batches.c.batch_id))
    return [Batch(*row) for row in rows]


def _change(connection: Connection, batch_id: str, **values: object) -> None:
    connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(values))
