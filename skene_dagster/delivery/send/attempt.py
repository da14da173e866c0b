"""One attempt to send a frozen batch, and what its answer proves.

A provider may have accepted what it never answered. So before each POST the ledger says that the provider may have
the batch (`unresolved_since`), and the same bytes go out under the same key until there is a definite answer. Where the
key can tell nothing more, the provider's records are asked (`look`).

What remains possible: a process that is frozen between the last check and the POST, for longer than the key lives
(a machine suspended for a day in those microseconds), sends under a key that is forgotten.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row
from typing_extensions import assert_never

from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.providers.base import Accepted, Fatal, Refused, Throttled, Unknown
from skene_dagster.delivery.send.freeze import halves
from skene_dagster.delivery.send.pacing import Turn
from skene_dagster.delivery.send.records import Next, Policy, key_is_over, settle
from skene_dagster.delivery.send.session import PATIENCE, Desk
from skene_dagster.errors import ProviderFatal
from skene_dagster.store.engine import CLOCKS_DIFFER

LONGEST_LOOK = timedelta(seconds=20)
"""The most between the commit of an attempt and its POST, by two clocks: the call itself ends within the lease."""

FRESH = timedelta(minutes=5)
"""How old may be what freezing asked (who left, whom may we mail) when the first request for it is made."""

KEY_IS_KEPT = timedelta(hours=24)
"""How long ago a key can have been used that the provider still knows."""


def attempt(desk: Desk, batch: Row[Any], frozen: Frozen, policy: Policy) -> Next:
    """Send a frozen batch once, and say what is to be done next.

    Raises:
        ProviderFatal: the provider refuses everything.
    """
    begun = _begin(desk, batch)
    if begun is None:
        return "later" if desk.parked else "again"
    number = begun.number
    is_definite = batch.unresolved_since is None
    if _slept(desk, begun) or key_is_over(batch, desk.clock()):
        if is_definite:
            desk.do(lambda c: ledger.nothing_happened(c, batch.batch_id, number, "not sent: this process slept"))
        return "again"
    answer = desk.provider.send_batch(frozen, desk.key_of(batch.batch_id))
    desk.hears(batch.batch_id, answer)
    desk.pacing.learn(desk.provider.rate_limit)
    match answer:
        case Accepted(ids=ids):
            return settle(desk, batch, frozen, ids, policy)
        case Refused() if is_definite:
            _isolate(desk, batch, frozen, answer, number)
            return "again"
        case Refused(reason=reason):
            # After an attempt without answer, a refusal proves nothing about that attempt.
            desk.do(lambda c: ledger.answered(c, batch, number, reason, refused=True))
            return "again"
        case Throttled(everybody=True, reason=reason):
            _nothing_more(desk, batch, number, reason)
            return "again" if _waits(desk, answer) else "later"
        case Throttled(after=after, reason=reason):
            # It tells of another attempt, and proves nothing: the doubt stays.
            wait = min(max(timedelta(seconds=after), ledger.own_wait(number)), ledger.LONGEST_WAIT)
            desk.do(lambda c: ledger.put_off(c, batch.batch_id, number, desk.clock() + wait, reason))
            return "later"
        case Fatal(reason=reason):
            _nothing_more(desk, batch, number, reason)
            raise ProviderFatal(f"{desk.provider.name} refuses to send: {reason}")
        case Unknown(reason=reason, answered=True):
            # Perhaps it speaks of what came under this key before our first attempt.
            since = desk.clock() - KEY_IS_KEPT
            desk.do(lambda c: ledger.answered(c, batch, number, reason, refused=True, since=since))
            return "again"
        case Unknown():
            return "later"
        case _:
            assert_never(answer)


@dataclass(frozen=True)
class _Begun:
    """An attempt of which the ledger knows, and when it was begun by both clocks."""

    number: int
    at: datetime
    at_monotonic: float


@dataclass(frozen=True)
class _Reissued:
    """The batch is closed, and another one takes its place that is still to be frozen."""

    child: str


def _begin(desk: Desk, batch: Row[Any]) -> _Begun | None:
    """Wait for a turn and write down that the provider may have the batch; None: it is not to be sent now.

    A batch that waited for long (for a quota, a pause, a run that died) is reissued instead.
    """

    def begin(connection: Connection, *, has_turn: bool) -> "Turn | int | _Reissued | None":
        if not desk.may_send(connection, batch):
            return None
        turn = Turn(0.0) if has_turn else desk.pacing.take(connection)
        if not turn.is_now:
            return turn
        if _is_stale(batch, at):
            child = ledger.renew(connection, batch, at)
            return None if child is None else _Reissued(child)
        return ledger.begin_attempt(connection, batch, desk.owner, at)

    def resolve(connection: Connection, *, has_turn: bool) -> "Turn | int | _Reissued | None":
        return ledger.begun(connection, batch, desk.owner, at) or begin(connection, has_turn=has_turn)

    at, at_monotonic = desk.clock(), desk.monotonic()
    begun = desk.do(partial(begin, has_turn=False), resolve=partial(resolve, has_turn=False))
    if isinstance(begun, Turn):
        if not _waited_for(desk, begun):
            return None
        # While it waited somebody may have given an order: all is asked again.
        at, at_monotonic = desk.clock(), desk.monotonic()
        begun = desk.do(partial(begin, has_turn=True), resolve=partial(resolve, has_turn=True))
        assert not isinstance(begun, Turn)
    if isinstance(begun, _Reissued):
        desk.cut.append(begun.child)
        return None
    return None if begun is None else _Begun(begun, at, at_monotonic)


def _is_stale(batch: Row[Any], now: datetime) -> bool:
    """Whether a batch that the provider has nothing of was frozen too long ago: it is rendered and asked anew."""
    if batch.unresolved_since is not None or batch.frozen_at is None:
        return False
    return not -CLOCKS_DIFFER <= now - batch.frozen_at <= FRESH


def _waited_for(desk: Desk, turn: Turn) -> bool:
    if turn.closed_until is not None or turn.wait > PATIENCE:
        desk.parked = turn.reason or f"{desk.provider.name} is called as often as it allows"
        return False
    desk.pause(turn.wait)
    return True


def _slept(desk: Desk, begun: _Begun) -> bool:
    """Whether this process was suspended since it began. The monotonic clock stands still while a machine sleeps."""
    by_the_wall = desk.clock() - begun.at
    by_itself = timedelta(seconds=desk.monotonic() - begun.at_monotonic)
    return not timedelta(0) <= by_the_wall < LONGEST_LOOK or by_itself >= LONGEST_LOOK


def _nothing_more(desk: Desk, batch: Row[Any], number: int, reason: str) -> None:
    """The provider has nothing more of a batch than it had before this attempt."""
    if batch.unresolved_since is None:
        desk.do(lambda c: ledger.nothing_happened(c, batch.batch_id, number, reason))
    else:
        desk.do(lambda c: ledger.answered(c, batch, number, reason, refused=False))


def _waits(desk: Desk, answer: Throttled) -> bool:
    """Wait for a throttled provider, together with all other runs; False: it takes too long, the run parks."""
    parks = desk.throttled + answer.after > PATIENCE
    until = desk.clock() + timedelta(seconds=answer.after)
    desk.pacing.hold(until, answer.reason, closes=parks)
    if parks:
        desk.parked = answer.reason
        return False
    desk.throttled += answer.after
    desk.pause(answer.after)
    return True


def _isolate(desk: Desk, batch: Row[Any], frozen: Frozen, answer: Refused, number: int) -> None:
    """Take the refused message out; where the answer does not name it, halve the batch until it is alone."""
    size = len(frozen.send_ids)
    index = 0 if size == 1 else answer.index
    now = desk.clock()

    def write(connection: Connection) -> list[str]:
        if not ledger.nothing_happened(connection, batch.batch_id, number, answer.reason):
            return []
        if index is None or not 0 <= index < size:
            return ledger.split(connection, batch, halves(frozen), now)
        ledger.refuse(connection, batch.batch_id, frozen.send_ids[index], answer.reason, now)
        rest = [n for n in range(size) if n != index]
        return ledger.split(connection, batch, [frozen.only(rest)] if rest else [], now)

    desk.cut += desk.do(write)
