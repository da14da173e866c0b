"""What happened: the decisions about a user, and what became of their emails, the newest first."""

import zlib
from dataclasses import replace

from sqlalchemy import Connection

from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.ledger import people
from skene_dagster.delivery.ledger.people import Carrier, Decided, PutOff, StepName
from skene_dagster.delivery.ledger.receipts import Receipt
from skene_dagster.delivery.providers import registry
from skene_dagster.explain.model import Happened
from skene_dagster.explain.scope import Asked
from skene_dagster.store.keys import as_text

_OPENED = 3
"""The most batches whose bytes are looked into for a subject: each may have four megabytes."""


def happened(
    connection: Connection, asked: Asked, names: list[StepName], user_id: object, waiting: list[PutOff]
) -> tuple[list[Happened], bool]:
    """List what happened, and whether there is more of it."""
    limit = asked.limit + 1
    decided = people.decided_about(connection, asked.mode, names, user_id, limit=limit)
    found = [*_told(connection, asked, user_id, decided), *(_put_off(asked, one) for one in waiting)]
    found.sort(key=lambda one: (one.at, one.send_id or ""), reverse=True)
    return found[: asked.limit], len(found) > asked.limit


def older(
    connection: Connection, asked: Asked, names: list[StepName], user_id: object, last: Decided | None
) -> tuple[list[Happened], Decided | None]:
    """List the next page of final decisions behind the last one of the page before; and its last, None at the end."""
    before = None if last is None else (last.as_of, last.send_id)
    decided = people.decided_about(connection, asked.mode, names, user_id, limit=asked.limit, before=before)
    return _told(connection, asked, user_id, decided), decided[-1] if len(decided) == asked.limit else None


def put_off(asked: Asked, waiting: list[PutOff]) -> list[Happened]:
    """Tell what waits as what was decided last about it."""
    return sorted((_put_off(asked, one) for one in waiting), key=lambda one: one.at, reverse=True)


def _told(connection: Connection, asked: Asked, user_id: object, decided: list[Decided]) -> list[Happened]:
    receipts = people.receipts_by_send(connection, [one.send_id for one in decided if one.accepted_at is not None])
    batches = people.carriers(connection, [one.batch_id for one in decided if one.batch_id is not None])
    subjects = _subjects(connection, decided, batches)
    accounts = people.accounts_of(connection, asked.mode, user_id, decided)
    told = [
        _decision(asked, one, receipts.get(one.send_id), batches.get(one.batch_id or ""), subjects.get(one.send_id))
        for one in decided
    ]
    return [
        replace(one, account=as_text(accounts[decision.send_id])) if decision.send_id in accounts else one
        for one, decision in zip(told, decided, strict=True)
    ]


def _decision(
    asked: Asked, one: Decided, receipt: Receipt | None, batch: Carrier | None, subject: str | None
) -> Happened:
    said, reason = one.detail, one.reason
    is_unanswered = one.state == "reserved" and batch is not None and batch.unresolved_since is not None
    if batch is not None and (one.state == "in_doubt" or is_unanswered):
        said = batch.refusal or batch.error
        reason = reason or "no_answer"
    plain = Happened(
        at=one.as_of,
        loop=one.loop,
        step=asked.shown((one.loop, one.step)),
        outcome=one.state,
        reason=reason,
        detail=said,
        send_id=one.send_id,
        subject=subject,
        accepted_at=one.accepted_at,
    )
    if receipt is None:
        return plain
    return replace(plain, **{name: getattr(receipt, name) for name in _OF_RECEIPT})


_OF_RECEIPT = (
    "delivered_at",
    "bounced_at",
    "bounce",
    "complained_at",
    "opened_at",
    "clicked_at",
    "unsubscribed_at",
    "failed_at",
    "rejected_at",
    "language",
)


def _put_off(asked: Asked, one: PutOff) -> Happened:
    return Happened(
        at=one.as_of,
        loop=one.loop,
        step=asked.shown((one.loop, one.step)),
        outcome="deferred",
        reason=one.reason,
        detail=one.detail,
        send_id=None,
        subject=None,
        accepted_at=None,
        ask_at=one.ask_at,
    )


def _subjects(connection: Connection, decided: list[Decided], batches: dict[str, Carrier]) -> dict[str, str]:
    """Read the subjects of emails whose frozen bytes are still kept."""
    kept = [
        one
        for one in decided
        if one.batch_id in batches and batches[one.batch_id].state in ("frozen", "in_doubt")
        if one.send_id in (batches[one.batch_id].send_ids or "").split()
    ]
    found: dict[str, str] = {}
    for one in kept[:_OPENED]:
        assert one.batch_id is not None
        if (message := frozen_message(connection, one.batch_id, one.send_id)) is not None:
            found[one.send_id] = message.subject
    return found


def frozen_message(connection: Connection, batch_id: str, send_id: str) -> Message | None:
    """Read one email out of the frozen bytes of a batch; None where they are not kept, or are none of ours."""
    try:
        kept = people.kept_bytes(connection, batch_id)
        messages = () if kept is None else registry.thawed(*kept)
    except (ValueError, zlib.error):
        return None
    return next((one for one in messages if one.send_id == send_id), None)
