"""A product whose emails were accepted, and a provider that tells what became of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from delivery_world import LIVE, World
from neighbours import own
from sqlalchemy import Engine, select

from skene_dagster.consent.recipient import Recipients
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.feedback import Kind, Report
from skene_dagster.feedback import inbox
from skene_dagster.feedback.reading import Drained, drain
from skene_dagster.store.engine import transaction
from skene_dagster.store.environment import ledger_id
from skene_dagster.store.tables import receipts, sends, suppressions, webhooks

HARD: Mapping[str, Any] = {"bounce_type": "Permanent", "bounce_sub_type": "General", "status_codes": "5.1.1"}
SOFT: Mapping[str, Any] = {"bounce_type": "Transient", "bounce_sub_type": "MailboxFull", "status_codes": "4.2.2"}
BLOCKED: Mapping[str, Any] = {"bounce_type": "Permanent", "bounce_sub_type": "General", "status_codes": "5.7.1"}


def mailed(world: World, *users: int, mode: Mode = LIVE) -> None:
    """Have an email accepted to each of these users, who are new."""
    world.add(*users)
    world.tick(mode)


def mailed_again(world: World, days: float) -> None:
    """Have another one accepted to each, so much later: they left the segment and entered it again."""
    world.rewrite_loop("      template: hello\n", "      template: hello\n      repeat: every_entry\n")
    world.days_pass(days / 2)
    world.change(1, 2, 3, dormant=False)
    world.refresh()
    world.days_pass(days / 2)
    world.change(1, 2, 3, dormant=True)
    world.tick(LIVE)


def sent_to(world: World, user: int) -> Mapping[str, Any]:
    """Return the newest send to a user."""
    query = select(sends).where(own(sends), sends.c.user_id == user, sends.c.batch_id.is_not(None))
    with world.engine.connect() as connection:
        return dict(connection.execute(query.order_by(sends.c.as_of.desc()).limit(1)).mappings().one())


def about(world: World, user: int, kind: Kind, *, at: datetime | None = None, **more: Any) -> Report:
    """Make a report of what became of the newest email to a user, as the email's tags let the provider tell it."""
    send = sent_to(world, user)
    with world.engine.connect() as connection:
        mine = ledger_id(connection)
    made = Report(
        f"{kind}-{user}-{send['send_id'][:8]}",
        f"email.{kind}",
        kind,
        at or world.now,
        provider_id=f"id-{send['send_id']}",
        send_id=send["send_id"],
        origin=f"{mine}-{send['batch_id']}",
        address=f"u{user}@example.com" if kind in ("bounced", "complained", "rejected") else None,
        domain="example.com",
    )
    return replace(made, **more)


def told(world: World, *reports: Report) -> None:
    """Have the provider tell something."""
    transaction(world.engine, lambda c: inbox.put(c, "resend", reports, world.now))


def read(world: World, *reports: Report, page: int = 200) -> Drained:
    """Have it told, and read what is due."""
    told(world, *reports)
    return drain(world.engine, world.clock, seconds=60, page=page)


def receipt(world: World, user: int) -> dict[str, Any]:
    """Return what is known of the newest email to a user: what has happened."""
    query = select(receipts).where(own(receipts), receipts.c.user_id == user).order_by(receipts.c.accepted_at.desc())
    with world.engine.connect() as connection:
        row = connection.execute(query.limit(1)).mappings().one()
    told_of = [name for name in row if name.endswith("_at") or name.startswith("bounce") or name == "status_codes"]
    return {name: row[name] for name in told_of if row[name] is not None and name != "accepted_at"}


def every_receipt(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(receipts).where(own(receipts)).order_by(receipts.c.send_id)).all())


def suppressed(world: World) -> dict[str, tuple[str, str, timedelta | None]]:
    """Return who may not be mailed at all now: the reason, the source and for how long, by address or hash."""
    query = select(suppressions).where(suppressions.c.scope == "all", suppressions.c.lifted_at > world.now)
    with world.engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return {
        row["address"] or row["recipient"]: (
            row["reason"],
            row["source"],
            None if row["lifted_at"].year == 9999 else row["lifted_at"] - row["since"],
        )
        for row in rows
    }


def outcomes(world: World) -> dict[str, str | None]:
    """Return what became of each event."""
    with world.engine.connect() as connection:
        return dict(connection.execute(select(webhooks.c.event_id, webhooks.c.outcome)).all())


def hash_of(world: World, user: int) -> str:
    with world.engine.connect() as connection:
        return Recipients.of(connection).address(f"u{user}@example.com")
