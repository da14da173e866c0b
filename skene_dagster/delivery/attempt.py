"""One attempt to send a frozen batch, and what its answer proves. DESIGN §5.

A provider may have accepted what it never answered. So before each POST the ledger says that the provider may have
the batch (`unresolved_since`), the same bytes go out under the same key until there is a definite answer, and past
the key's life nothing is sent again: the provider's records are asked.

What remains possible: a process that is frozen between the last check and the POST, for longer than the key lives
(a machine suspended for a day in those microseconds), sends under a key that is forgotten.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection, Row
from typing_extensions import assert_never

from skene_dagster.delivery import ledger
from skene_dagster.delivery.desk import Desk
from skene_dagster.delivery.freeze import halves
from skene_dagster.delivery.message import Frozen
from skene_dagster.delivery.pacing import Turn
from skene_dagster.delivery.providers.base import (
    Absent,
    Accepted,
    Fatal,
    Found,
    Refused,
    Throttled,
    Unknown,
    Unprovable,
)
from skene_dagster.errors import ProviderFatal
from skene_dagster.loops.plan import Email

KEY_LIVES = timedelta(hours=23)
"""How long a key is trusted; Resend keeps it 24 h."""

PATIENCE = 60.0
"""Seconds that a throttled batch is waited for within a run; longer, and it is parked for the next run."""

LONGEST_LOOK = timedelta(seconds=20)
"""The most between the commit of an attempt and its POST, by two clocks: the call itself ends within the lease."""


@dataclass(frozen=True)
class Policy:
    """What the loop says of a batch's outcome."""

    on_doubt: Literal["skip", "resend"] = "skip"
    """`resend` takes the risk of a second email; `skip` that of none."""
    write_back: bool = False
    """`set` is to be written for who was accepted."""

    @staticmethod
    def of(desk: Desk, email: Email, on_doubt: Literal["skip", "resend"]) -> "Policy":
        """Read it from a plan: a rehearsal writes no `set`."""
        return Policy(on_doubt, desk.channel.name == "live" and bool(email.set))


def key_is_over(batch: Row[Any], now: datetime) -> bool:
    """Whether the provider may have forgotten the batch's key, so that another POST might be a second email."""
    return batch.unresolved_since is not None and now - batch.unresolved_since >= KEY_LIVES


Next = Literal["again", "done", "later"]
"""Look at the batch again, for it has changed; it is settled; leave it for now."""


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
    silence, desk.silence = desk.silence, 0
    desk.pacing.learn(desk.provider.rate_limit)
    match answer:
        case Accepted(ids=ids):
            settle(desk, batch, frozen, ids, policy)
            return "again" if policy.write_back else "done"
        case Refused() if is_definite:
            _isolate(desk, batch, frozen, answer, number)
            return "again"
        case Throttled(everybody=True):
            if is_definite:
                desk.do(lambda c: ledger.nothing_happened(c, batch.batch_id, number, answer.reason))
            return "again" if _waits(desk, answer) else "later"
        case Throttled() if desk.waits_for_key(batch.batch_id, answer.after, PATIENCE):
            # It tells of another attempt, and proves nothing: the doubt stays.
            return "again"
        case Fatal(reason=reason):
            if is_definite:
                desk.do(lambda c: ledger.nothing_happened(c, batch.batch_id, number, reason))
            raise ProviderFatal(f"{desk.provider.name} refuses to send: {reason}")
        case Throttled(reason=reason):
            desk.unanswered[batch.batch_id] = reason
            return "later"
        case Unknown(reason=reason) | Refused(reason=reason):
            # After an attempt without answer, a refusal proves nothing about that attempt.
            desk.unanswered[batch.batch_id] = reason
            desk.silence = silence + 1
            return "later"
        case _:
            assert_never(answer)


def resolve(desk: Desk, batch: Row[Any], policy: Policy) -> None:
    """Ask the provider's records what became of a batch whose key is over, and close it or leave it in doubt."""
    frozen = desk.do(lambda c: ledger.frozen(c, batch.batch_id))
    if frozen is None:
        # Closed by another meanwhile, which stays so; or somebody took its bytes out of the ledger.
        desk.do(lambda c: ledger.doubt(c, batch.batch_id, "its bytes are gone", desk.clock()))
        return
    found = desk.provider.find(frozen, batch.unresolved_since, batch.last_attempt_at, desk.turn)
    desk.pacing.learn(desk.provider.rate_limit)
    match found:
        case Found(ids=ids):
            settle(desk, batch, frozen, ids, policy)
        case Absent():
            desk.do(lambda c: ledger.renew(c, batch, desk.clock()))
        case Unprovable() if policy.on_doubt == "resend" and batch.state != "in_doubt":
            desk.do(lambda c: ledger.renew(c, batch, desk.clock()))
        case Unprovable(reason=reason):
            desk.do(lambda c: ledger.doubt(c, batch.batch_id, reason, desk.clock()))
        case _:
            assert_never(found)


def settle(desk: Desk, batch: Row[Any], frozen: Frozen, ids: tuple[str | None, ...], policy: Policy) -> None:
    """Write down that a batch was accepted."""
    provider_ids = dict(zip(frozen.send_ids, ids, strict=True))
    now = desk.clock()
    desk.do(
        lambda c: ledger.settle(c, batch.batch_id, provider_ids, write_back=policy.write_back, now=now),
    )


@dataclass(frozen=True)
class _Begun:
    """An attempt of which the ledger knows, and when it was begun by both clocks."""

    number: int
    at: datetime
    at_monotonic: float


def _begin(desk: Desk, batch: Row[Any]) -> _Begun | None:
    """Wait for a turn and write down that the provider may have the batch; None: it is not to be sent now."""

    def begin(connection: Connection, *, has_turn: bool) -> Turn | int | None:
        if not desk.may_send(connection, batch):
            return None
        turn = Turn(0.0) if has_turn else desk.pacing.take(connection)
        return ledger.begin_attempt(connection, batch, desk.owner, at) if turn.is_now else turn

    def resolve(connection: Connection, *, has_turn: bool) -> Turn | int | None:
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
    return None if begun is None else _Begun(begun, at, at_monotonic)


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


def _waits(desk: Desk, answer: Throttled) -> bool:
    """Wait for a throttled provider, together with all other runs; False: it takes too long, the run parks."""
    parks = answer.after > PATIENCE
    until = desk.clock() + timedelta(seconds=answer.after)
    desk.pacing.hold(until, answer.reason, closes=parks)
    if parks:
        desk.parked = answer.reason
        return False
    desk.pause(answer.after)
    return True


def _isolate(desk: Desk, batch: Row[Any], frozen: Frozen, answer: Refused, number: int) -> None:
    """Take the refused message out; where the answer does not name it, halve the batch until it is alone."""
    size = len(frozen.send_ids)
    index = 0 if size == 1 else answer.index
    now = desk.clock()

    def write(connection: Connection) -> None:
        if not ledger.nothing_happened(connection, batch.batch_id, number, answer.reason):
            return
        if index is None or not 0 <= index < size:
            ledger.split(connection, batch, halves(frozen), now)
            return
        ledger.refuse(connection, batch.batch_id, frozen.send_ids[index], answer.reason, now)
        rest = [n for n in range(size) if n != index]
        ledger.split(connection, batch, [frozen.only(rest)] if rest else [], now)

    desk.do(write)
