"""About which accounts nobody may be mailed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.consent import suppressions
from skene_dagster.consent.permission import Purpose, Refusal
from skene_dagster.consent.recipient import Recipients
from skene_dagster.settings import Settings


def refusals(
    connection: Connection, settings: Settings, topic: str | None, keys: Sequence[object], now: datetime
) -> Mapping[object, Refusal]:
    """Say about which of some accounts no email of a topic may be sent, and why."""
    if suppressions.is_empty(connection):
        return {}
    by_hash = Recipients.of(connection)
    names = {by_hash.account(key): key for key in keys}
    scopes = Purpose.of(settings, topic).scopes
    return {names[name]: why for name, why in suppressions.stopped(connection, names, scopes, now).items()}
