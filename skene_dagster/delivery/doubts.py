"""What is in doubt, and a person's word about it."""

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.delivery import ledger
from skene_dagster.delivery.model import Batch

Verdict = Literal["sent", "resend", "skip"]
"""It was sent; it was not, or the risk of a second one is taken; it was not, and shall not be."""


def doubts(connection: Connection, mode: str, loop: str | None = None) -> list[Batch]:
    """List the batches of a mode that are in doubt, the oldest first."""
    found = ledger.in_doubt(connection, mode)
    return [batch for batch in found if loop in (None, batch.loop)]


def settle_doubt(connection: Connection, batch: Batch, verdict: Verdict, *, write_back: bool, now: datetime) -> None:
    """Close a doubt as a person says.

    Args:
        write_back: the action has a `set`, to be written for what was sent.
    """
    match verdict:
        case "sent":
            nobody_knows_the_ids = dict.fromkeys(batch.frozen_sends)
            ledger.settle(connection, batch.batch_id, nobody_knows_the_ids, write_back=write_back, now=now)
        case "resend":
            # It waited for this word, not for its turn.
            ledger.reissue(connection, batch, now, waits_since=now)
        case "skip":
            ledger.give_up(connection, batch.batch_id, now)
        case _:
            assert_never(verdict)
