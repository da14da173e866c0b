"""Who is inside, what was decided, and what became of the emails."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select

from skene_dagster.delivery.model import ModeName, Reason, SendState
from skene_dagster.frames.reading import Frames, Moment, Words, among, lasting, read, same, within
from skene_dagster.store.tables import receipts as receipts_table
from skene_dagster.store.tables import segment_members
from skene_dagster.store.tables import sends as sends_table


def members(  # noqa: PLR0913 - what is wanted, each by its name
    loop: str | None = None,
    step: str | None = None,
    *,
    inside_at: Moment | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    users: Sequence[object] | None = None,
    columns: Sequence[str] | None = None,
    chunk_size: int | None = None,
    project: str | Path = ".",
) -> Frames:
    """Read who is or was inside a segment: a row for each time that a user was.

    Args:
        inside_at: only who was inside at this moment.
        since: only who entered from this moment on.
        until: only who entered before this moment.

    Returns:
        loop, step, user_id; entered_at and exited_at, the ticks, exited_at missing while they are inside; exit_reason:
        `left` (the condition holds no more), `gone` (no longer a user), `set` (our own `set` took them out).
    """
    table = segment_members.c
    name: ColumnElement[str] = table.segment
    dot = func.instr(name, ".")
    named = func.substr(name, 1, dot - 1, type_=name.type), func.substr(name, dot + 1, type_=name.type)
    query = select(
        named[0].label("loop"),
        named[1].label("step"),
        table.user_id,
        table.entered_at,
        table.exited_at,
        table.exit_reason,
    ).where(
        *within(table.entered_at, since, until),
        *lasting(table.entered_at, table.exited_at, inside_at),
        *among(table.user_id, users),
    )
    if loop is not None:
        query = query.where(
            table.segment.startswith(f"{loop}.", autoescape=True) if step is None else name == f"{loop}.{step}"
        )
    elif step is not None:
        query = query.where(table.segment.endswith(f".{step}", autoescape=True))
    words = {"exit_reason": Words(Literal["left", "gone", "set"])}
    return read(project, query, words=words, columns=columns, chunk_size=chunk_size)


def sends(  # noqa: PLR0913 - what is wanted, each by its name
    loop: str | None = None,
    step: str | None = None,
    *,
    mode: ModeName | None = "live",
    since: Moment | None = None,
    until: Moment | None = None,
    users: Sequence[object] | None = None,
    columns: Sequence[str] | None = None,
    chunk_size: int | None = None,
    project: str | Path = ".",
) -> Frames:
    """Read what was decided finally: a row for each user and occurrence. Who waits for a decision has none.

    Args:
        mode: where emails went; None: all of them.
        since: only decisions of this tick and later ones.
        until: only decisions of ticks before this moment.

    Returns:
        mode, loop, step, user_id, occurrence, send_id; state and reason, as docs/sending.md has them; as_of, the tick
        of the decision; decided_at, when it was written; accepted_at, when the provider accepted the email.
    """
    table = sends_table.c
    names = ("mode", "loop", "step", "user_id", "occurrence", "send_id", "state", "reason")
    query = select(*(table[name] for name in (*names, "as_of", "decided_at", "accepted_at"))).where(
        *_of(table, mode, loop, step), *within(table.as_of, since, until), *among(table.user_id, users)
    )
    words = {"mode": Words(ModeName), "state": Words(SendState), "reason": Words(Reason)}
    return read(project, query, words=words, columns=columns, chunk_size=chunk_size)


def receipts(  # noqa: PLR0913 - what is wanted, each by its name
    loop: str | None = None,
    step: str | None = None,
    *,
    mode: ModeName | None = "live",
    since: Moment | None = None,
    until: Moment | None = None,
    users: Sequence[object] | None = None,
    columns: Sequence[str] | None = None,
    chunk_size: int | None = None,
    project: str | Path = ".",
) -> Frames:
    """Read what became of accepted emails: a row for each.

    Args:
        mode: where emails went; None: all of them.
        since: only emails that were accepted from this moment on.
        until: only emails that were accepted before this moment.

    Returns:
        mode, loop, step, user_id, send_id; accepted_at, and the first moment of each thing that was heard about it:
        delivered_at, delayed_at, bounced_at, failed_at, rejected_at, complained_at, opened_at, clicked_at,
        unsubscribed_at; language, such as `pt-BR`; bounce: `hard`, `blocked` or `soft`. A machine may open and click,
        too: see docs/feedback.md.
    """
    table = receipts_table.c
    names = ("mode", "loop", "step", "user_id", "send_id", "accepted_at", "delivered_at", "delayed_at", "bounced_at")
    more = (
        "bounce",
        "language",
        "failed_at",
        "rejected_at",
        "complained_at",
        "opened_at",
        "clicked_at",
        "unsubscribed_at",
    )
    query = select(*(table[name] for name in (*names, *more))).where(
        *_of(table, mode, loop, step), *within(table.accepted_at, since, until), *among(table.user_id, users)
    )
    words = {"mode": Words(ModeName), "bounce": Words(Literal["hard", "blocked", "soft"])}
    return read(project, query, words=words, columns=columns, chunk_size=chunk_size)


def _of(table: Any, mode: str | None, loop: str | None, step: str | None) -> list[ColumnElement[bool]]:
    return [*same(table.mode, mode), *same(table.loop, loop), *same(table.step, step)]
