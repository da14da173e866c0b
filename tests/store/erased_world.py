"""Somebody to erase, and what of them is left anywhere."""

import zlib
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from delivery_world import LIVE, World
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Double,
    Engine,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    insert,
    inspect,
    select,
    text,
)

from skene_dagster.consent.recipient import Recipients
from skene_dagster.erasing.erase import Erased, erase
from skene_dagster.erasing.person import Person, find
from skene_dagster.erasing.waiting import WentOn, go_on
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import OPEN, Moment, metadata, sends

ERIKA = 918273645
"""A number that nothing else in the database has."""

ADDRESS = f"u{ERIKA}@example.com"

OTHER = 11


def erased(world: World, who: str = str(ERIKA), chunk: int = 1_000) -> Erased:
    """Erase them, as the command does."""
    person = known(world, who)
    assert person is not None
    return erase(world.engine, world.settings, person, world.clock, chunk=chunk)


def known(world: World, who: str = str(ERIKA)) -> Person | None:
    return reading(world.engine, lambda c: find(c, world.settings.users, who))


def resumed(world: World) -> WentOn:
    return go_on(world.engine, world.settings, world.clock)


def send_ids(world: World) -> list[str]:
    """The ids of their sends, while they have their names."""
    with world.engine.connect() as connection:
        return list(connection.execute(select(sends.c.send_id).where(sends.c.user_id == ERIKA)).scalars())


def reserved(world: World) -> None:
    """An email to them is reserved, in one batch with another's."""
    world.add(OTHER, ERIKA)
    world.refresh()
    world.reserve(LIVE)


def traces(engine: Engine, *more: str) -> list[str]:
    """Find their key, and whatever else is named, in any column of any skene_* table; packed or not."""
    words = [str(ERIKA), *more]
    found = []
    with engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if name.startswith("skene_")]
        assert len(tables) > len(metadata.tables) - 1
        for name in tables:
            for row in connection.execute(text(f"SELECT * FROM {name}")).mappings():
                found += [f"{name}.{column}: {row[column]!r}" for column in row if _says(row[column], words)]
    return found


def _says(value: object, words: Iterable[str]) -> bool:
    said = value.decode(errors="replace") + _unpacked(value) if isinstance(value, bytes) else str(value)
    return any(word.lower() in said.lower() for word in words)


def _unpacked(value: bytes) -> str:
    try:
        return zlib.decompress(value).decode(errors="replace")
    except zlib.error:
        return value.hex()


ABOUT_NOBODY = {
    "skene_meta": "what the database is",
    "skene_segments": "a step's segment",
    "skene_steps": "how far a step has decided",
    "skene_goals": "how far a goal is measured",
    "skene_outcome_counts": "numbers: what is erased of them, test_kept_counts.py says",
    "skene_controls": "orders of people about loops",
    "skene_pacing": "an account of a provider",
    "skene_warm_ups": "a domain of the sender's",
    "skene_rollups": "how far events are rolled up",
    "skene_definitions": "what skene.yaml said",
    "skene_versions": "what changed in the files, without texts of their authors",
    "skene_receipt_counts": "numbers",
    "skene_account_arms": "an account",
    "skene_account_decisions": "an account",
    "skene_incidents": "what is wrong, without addresses: test_incidents.py",
    "skene_failures": "ops that failed, in words that name nobody",
    "skene_alerts": "targets of alerts",
    "skene_erasures": "hashes of who was erased, and the key in the place of theirs",
}
"""Tables without a row of anybody's; any other, new ones included, is filled with what it could hold of somebody."""

WORDS: dict[str, object] = {
    "mode": "live",
    "from_domain": "example.com",
    "loop": "gone",
    "step": "gone",
    "segment": "gone.gone",
    "state": "accepted",
    "reason": "repeat",
    "scope": "marketing",
    "answer": "yes",
    "provider": "resend",
    "type": "email.bounced",
    "kind": "bounced",
    "read_as": "applied",
    "bounce": "hard",
    "bounce_type": "Permanent",
    "bounce_sub_type": "General",
    "status_codes": "5.1.1",
    "level": "active",
    "arm": "mailed",
    "goal": "returns-0",
    "feature": "export",
    "milestone": "activated",
    "name": "export",
    "event": "export",
    "exit_reason": None,
    "batch_id": "b" * 32,
    "parent_id": None,
    "owner": None,
    "payload": None,  # see test_erasing_in_flight.py
    "recipients": None,
    "domains": None,
    "languages": None,
    "occurrence": "1",
    "send_occurrence": "1",
    "account_id": 77,
    "event_id": "e-1",
    "text_digest": None,
}
"""What a column holds that says nothing of anybody; every other one of texts gets their address."""

SEND = "5" * 32
MAIL = "the-provider-s-id-of-their-mail"


def filled(engine: Engine, at: datetime = OPEN) -> None:
    """Fill each table with a row of theirs: what each column could hold, without regard to sense.

    Args:
        at: every moment.
    """
    with engine.begin() as connection:
        name = Recipients.of(connection).address(ADDRESS)
        for table in metadata.sorted_tables:
            if table.name not in ABOUT_NOBODY:
                row = {column.name: _value(table, column, name, at) for column in table.columns}
                connection.execute(insert(table), row)


def _value(table: Table, column: "Column[Any]", recipient: str, at: datetime) -> object:
    theirs = {"user_id": ERIKA, "send_id": SEND, "send_ids": SEND, "provider_id": MAIL, "recipient": recipient}
    if column.name in theirs:
        return theirs[column.name]
    if column.name in WORDS:
        return (
            WORDS[column.name] if column.name != "state" or table is not metadata.tables["skene_batches"] else "settled"
        )
    if column.type is Moment:
        return None if column.name == "due_at" else at
    if isinstance(column.type, Date):
        return date(2026, 3, 2)
    if isinstance(column.type, Integer | BigInteger | SmallInteger | Double):
        return 1
    if isinstance(column.type, LargeBinary):
        return zlib.compress(ADDRESS.encode())
    return f"of {ADDRESS}" if column.name != "address" else ADDRESS
