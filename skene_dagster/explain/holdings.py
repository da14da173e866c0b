"""All that we hold of one person: the rows of each table, found by their key and by what consent knows them by.

No index has a user in every table: some are read from end to end. The product's own tables are not ours.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import ColumnElement, Connection, Table, func, or_, select

from skene_dagster.consent.recipient import Recipients
from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.ledger import people
from skene_dagster.explain.happened import frozen_message
from skene_dagster.store.tables import (
    OPEN,
    contacts,
    erasures,
    metadata,
    preferences,
    receipts,
    suppressions,
    webhooks,
)

Row = Mapping[str, object]

NOT_ABOUT_ANYBODY: Mapping[str, str] = MappingProxyType(
    {
        "skene_account_arms": "accounts of the product: who is compared with which, skene_account_people says",
        "skene_account_decisions": "accounts of the product: whom of one was mailed, skene_account_sends says",
        "skene_account_deferred": "accounts of the product",
        "skene_account_members": "accounts of the product",
        "skene_account_triggered": "accounts of the product",
        "skene_alerts": "whom alerts go to",
        "skene_controls": "orders about loops",
        "skene_definitions": "what skene.yaml said",
        "skene_failures": "ops that failed",
        "skene_goals": "how far the goals of loops are measured",
        "skene_incidents": "what a person of the product's should look at",
        "skene_meta": "the database itself",
        "skene_outcome_counts": "counts of final outcomes",
        "skene_pacing": "accounts of providers",
        "skene_receipt_counts": "counts of emails",
        "skene_rollups": "how far events are counted",
        "skene_segments": "how far segments are refreshed",
        "skene_steps": "how far steps have decided",
        "skene_versions": "versions of loops and of skene.yaml",
        "skene_warm_ups": "domains of senders",
    }
)
"""Tables that hold nothing of a person, and what they do hold."""

_BATCHES = "skene_batches"
_BY_RECIPIENT = (suppressions, preferences)
_JSON = frozenset(("properties", "attributes"))
"""Columns whose text is JSON."""


@dataclass(frozen=True)
class Subject:
    """Whose rows they are: a user, or an address that no user has any more."""

    user_id: object
    """As the users table has it, or had; None for an address."""
    recipients: tuple[str, ...]
    """What consent knows them by, at each address that they had."""
    address: str | None


def of_user(connection: Connection, user_id: object, address: str | None) -> Subject:
    """Name a user at their present address and at those that their emails went to.

    Raises:
        StoreError: the salt is gone.
    """
    names = set(Recipients.of(connection).of_user(user_id, address))
    for table in (receipts, contacts):
        query = select(table.c.recipient).where(table.c.user_id == user_id, table.c.recipient.is_not(None))
        names.update(connection.execute(query.distinct()).scalars())
    return Subject(user_id, tuple(sorted(names)), address)


def of_address(connection: Connection, address: str) -> Subject:
    """Name an address that no user has."""
    return Subject(None, (Recipients.of(connection).address(address),), address)


def tables() -> Sequence[Table]:
    """List the tables that hold something of people."""
    return [table for table in metadata.sorted_tables if table.name not in NOT_ABOUT_ANYBODY]


def is_known(connection: Connection, subject: Subject) -> bool:
    """Whether anything is held of somebody."""
    found = ((table, _theirs(table, subject)) for table in tables() if table.name != _BATCHES)
    return any(
        connection.execute(select(table.c[0]).where(which).limit(1)).first() is not None
        for table, which in found
        if which is not None
    )


def rows(connection: Connection, table: Table, subject: Subject) -> Iterator[Row]:
    """Yield what a table holds of somebody, in the order of its key.

    A text that is JSON is read, and `9999-12-31`, which stands for `not over`, is None. Of a batch of emails that is
    not settled yet there is their own email only; None where its bytes cannot be read.
    """
    if table.name == _BATCHES:
        yield from _frozen(connection, subject)
        return
    which = _theirs(table, subject)
    if which is None:
        return
    query = select(table).where(which).order_by(*table.primary_key)
    # SQLAlchemy, 2026-11: without a size, partitions() gives one partition of all rows.
    for some in connection.execute(query, execution_options={"stream_results": True}).mappings().partitions(1_000):
        for row in some:
            yield {name: _value(name, value) for name, value in row.items()}


def _theirs(table: Table, subject: Subject) -> ColumnElement[bool] | None:
    """Say which rows of a table are somebody's; None: it can have none."""
    if table in _BY_RECIPIENT:
        return table.c.recipient.in_(subject.recipients)
    if table is erasures:
        # It is known by their names; their key there is another one.
        return or_(*(erasures.c.recipients.contains(name) for name in subject.recipients))
    if table is webhooks:
        return _webhooks(subject)
    if subject.user_id is None:
        # Of an address, what was mailed to it: to whichever user had it then.
        return table.c.recipient.in_(subject.recipients) if "recipient" in table.c else None
    if "user_id" not in table.c:
        return table.c.send_id.in_(people.emails_of(subject.user_id))
    return table.c.user_id == subject.user_id


def _webhooks(subject: Subject) -> ColumnElement[bool]:
    """Find them by their email, or by its provider's name for it; what is not read yet also by the address in it."""
    by_user = subject.user_id is not None
    mails = receipts.c.user_id == subject.user_id if by_user else receipts.c.recipient.in_(subject.recipients)
    sent = people.emails_of(subject.user_id) if by_user else select(receipts.c.send_id).where(mails)
    found: list[ColumnElement[bool]] = [webhooks.c.send_id.in_(sent)]
    found.append(webhooks.c.provider_id.in_(select(receipts.c.provider_id).where(mails)))
    if subject.address is not None:
        found.append(func.lower(webhooks.c.address) == subject.address.lower())
    return or_(*found)


def _frozen(connection: Connection, subject: Subject) -> Iterator[Row]:
    if subject.user_id is None:
        return
    for row in people.frozen_emails(connection, subject.user_id):
        message = frozen_message(connection, row["batch_id"], row["send_id"])
        yield {**row, "email": None if message is None else _email(message)}


def _email(message: Message) -> Row:
    return {
        "from": message.sender,
        "to": message.to,
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "reply_to": message.reply_to,
        "headers": dict(message.headers),
        "tags": dict(message.tags),
    }


def _value(name: str, value: object) -> object:
    if value == OPEN:
        return None
    if name in _JSON and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
