"""Whom a step about accounts is about to mail: for other loops, that leave them a recipient's last place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.accounts.recipients import accounts_with, recipients
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.loops.field_types import Recipient
from skene_dagster.settings import Settings
from skene_dagster.store.keys import folded


def wanted_recipients(
    connection: Connection,
    scope: StepScope,
    recipient: Recipient,
    settings: Settings,
    keys: Sequence[object],
    *,
    since: datetime | None,
    until: datetime,
) -> set[object]:
    """List those users whom a step would mail at a tick about their account, as things are now.

    Args:
        since: those accounts are new that entered after it; None: all that are inside.
        until: the tick.

    Raises:
        SettingsError: what skene.yaml says of accounts does not match the database.
    """
    accounts = accounts_with(connection, recipient, settings, keys, until)
    wanted = ledger.wanted(connection, scope, accounts, since=since, until=until)
    if not wanted:
        return set()
    most = None if recipient == "everybody" else 1
    theirs = recipients(connection, recipient, settings, list(wanted), until)
    mailed = {folded(user) for users in theirs.values() for user in users[:most]}
    return {key for key in keys if folded(key) in mailed}
