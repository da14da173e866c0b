"""Freeze: render a batch once, for ever. Here, and only here, it is asked who should no longer get his email."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row

from skene_dagster.audience import members
from skene_dagster.delivery import facts, ledger
from skene_dagster.delivery.channels import Channel
from skene_dagster.delivery.message import Message, freeze
from skene_dagster.delivery.templates import MissingValue, Templates, Unrenderable
from skene_dagster.loops.plan import Email, LoopPlan, StepPlan, segment_name
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock

LARGEST_PAYLOAD = 4 * 1024 * 1024
"""Bytes of a frozen batch; TiDB refuses a row of more than 6 MiB (8025, seen 2026-11)."""

Reasons = dict[str, tuple[str, str | None]]
"""send_id → why there is no email, and a detail."""


def freeze_batch(
    connection: Connection,
    batch: Row[Any],
    *,
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    channel: Channel,
    templates: Templates,
    clock: Clock,
) -> bool:
    """Render the batch's emails and keep their bytes; write down who is skipped and why.

    Returns:
        False when the batch is another's by now; nothing was written then.
    """
    now = clock()
    messages, skipped = _render(connection, batch, plan, step, settings, channel, templates)
    payload = freeze(tuple(messages)) if messages else None
    parts: list[tuple[list[str], bytes]] = []
    if payload is not None and len(payload) > LARGEST_PAYLOAD:
        if len(messages) == 1:
            skipped[messages[0].send_id] = ("too_large", f"{len(payload):,} bytes")
            payload = None
        else:
            # The parent keeps no bytes: its halves do, under keys of their own.
            parts, payload = halves(messages), b""
    ours = ledger.freeze(connection, batch.batch_id, batch.owner, payload=payload, skipped=skipped, now=now)
    if ours and parts:
        ledger.split(connection, batch, parts, now)
    return ours


def halves(messages: Sequence[Message]) -> list[tuple[list[str], bytes]]:
    """Cut a batch in two, as send ids and bytes; for `ledger.split`."""
    middle = (len(messages) + 1) // 2
    parts = [messages[:middle], messages[middle:]]
    return [([m.send_id for m in part], freeze(tuple(part))) for part in parts if part]


def _render(
    connection: Connection,
    batch: Row[Any],
    plan: LoopPlan,
    step: StepPlan,
    settings: Settings,
    channel: Channel,
    templates: Templates,
) -> tuple[list[Message], Reasons]:
    email = step.action
    assert isinstance(email, Email)
    waiting = ledger.members_of(connection, batch.batch_id)
    keys = [row.user_id for row in waiting]
    inside = members.attributes(connection, segment_name(plan.name, step.name), keys)
    people = facts.people(connection, settings.users, keys, email.user_columns)
    messages: list[Message] = []
    skipped: Reasons = {}
    for row in waiting:
        person = people.get(row.user_id)
        if row.user_id not in inside:
            skipped[row.send_id] = ("left_segment", None)
        elif person is None:
            skipped[row.send_id] = ("gone", None)
        elif not person.mailable:
            skipped[row.send_id] = ("not_mailable", None)
        else:
            try:
                message = templates.render(
                    email,
                    user=person.columns,
                    row=json.loads(inside[row.user_id] or "{}"),
                    sender=settings.sender,
                    send_id=row.send_id,
                    to=person.address or "",
                    loop=plan.name,
                    step=step.name,
                )
            except MissingValue as missing:
                skipped[row.send_id] = ("missing_value", str(missing)[:255])
            except Unrenderable as bad:
                skipped[row.send_id] = ("unrenderable", str(bad)[:255])
            else:
                redirected = channel.name == "redirect" and settings.redirect_to
                messages.append(replace(message, to=redirected) if redirected else message)
    return messages, skipped
