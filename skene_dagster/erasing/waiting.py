"""What an erasure had to leave: emails that the provider may have. It goes on once that is known, or after a week."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Engine

from skene_dagster.consent import erasures
from skene_dagster.consent.erasures import Erasure
from skene_dagster.consent.writing import write
from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import SendOf
from skene_dagster.delivery.providers import registry
from skene_dagster.erasing.erase import forget_by_send
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, reading


@dataclass(frozen=True)
class WentOn:
    """How far the erasures are that had to wait."""

    finished: int
    waiting: int


def go_on(engine: Engine, settings: Settings, clock: Clock) -> WentOn:
    """Finish what had to wait and needs not any more; forget erasures of which nothing can come in any more.

    Raises:
        StoreError: the database refused; what was finished by then is.
    """
    known = reading(engine, erasures.read)
    if not known:
        return WentOn(0, 0)
    finished = waiting = 0
    for one in known:
        if one.waits_for:
            is_done = not _go_on(engine, settings, one, clock)
            finished, waiting = finished + is_done, waiting + (not is_done)
    write(engine, lambda c: erasures.forget(c, clock()))
    return WentOn(finished, waiting)


def _go_on(engine: Engine, settings: Settings, erasure: Erasure, clock: Clock) -> frozenset[str]:
    """Finish what can be finished of an erasure; return the batches that it still waits for."""
    if clock() >= erasure.ends_at:
        write(engine, lambda c: ledger.drop_bytes(c, erasure.waits_for))
    over = erasure.waits_for - reading(engine, lambda c: ledger.keep_bytes(c, erasure.waits_for))
    if not over:
        return erasure.waits_for
    some = reading(engine, lambda c: ledger.sends_left_in(c, over, erasure.user_id))
    forget_by_send(engine, some)
    registry.erase_from_outbox(settings, [one.send_id for one in some], [])
    return write(engine, partial(_finish, erasure=erasure, some=some, over=over, clock=clock))


def _finish(
    connection: Connection, erasure: Erasure, some: Sequence[SendOf], over: Collection[str], clock: Clock
) -> frozenset[str]:
    left = ledger.unname(connection, some, erasure.user_id, [], clock())
    return erasures.wait(connection, erasure.erasure_id, left, over=over)
