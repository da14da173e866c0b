"""One attempt to send a frozen batch, and what its answer proves.

A provider may have accepted a request that it never answered. So before each POST the ledger records that the provider
may have the batch (`unresolved_since`), and the same bytes are sent under the same key until there is a definite
answer. If the key cannot settle it any more, the provider's records are checked (`look`).

What remains possible: a process that is suspended between the last check and the POST, for longer than the key lives
(a machine suspended for a day in those microseconds), sends under a key that the provider has forgotten.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.consent import suppressions
from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.providers.base import (
    Accepted,
    Fatal,
    Later,
    Refused,
    Throttled,
    Unknown,
    Unreachable,
)
from skene_dagster.delivery.send.freeze import halves
from skene_dagster.delivery.send.pacing import RateSlot
from skene_dagster.delivery.send.records import Next, Policy, key_is_over, settle
from skene_dagster.delivery.send.session import PATIENCE, DeliverySession, Outlet
from skene_dagster.errors import ProviderFatal
from skene_dagster.store.engine import CLOCKS_DIFFER

LONGEST_LOOK = timedelta(seconds=20)
"""The most between the commit of an attempt and its POST, by two clocks: the call itself ends within the lease."""

FRESH = timedelta(minutes=5)
"""How old the checks of freezing (who left, whom may we mail) may be when the first request is made."""


def attempt(session: DeliverySession, batch: Batch, frozen: Frozen, policy: Policy) -> Next:
    """Send a frozen batch once, and say what is to be done next.

    Raises:
        ProviderFatal: the provider refuses everything.
    """
    outlet = session.outlet(batch.provider)
    begun = _begin(session, outlet, batch, policy)
    if begun is None:
        return "later" if session.paused or outlet.stopped_because else "again"
    number = begun.number
    is_definite = batch.unresolved_since is None
    if _slept(session, begun) or key_is_over(batch, session.clock()):
        if is_definite:
            session.do(lambda c: ledger.nothing_happened(c, batch.batch_id, number, "not sent: this process slept"))
        return "again"
    answer = outlet.provider.send_batch(frozen, session.key_of(batch.batch_id))
    session.hears(outlet, batch.batch_id, answer)
    outlet.pacing.learn(outlet.provider.rate_limit)
    match answer:
        case Accepted(ids=ids):
            return settle(session, batch, frozen, ids, policy)
        case Refused() if is_definite:
            _isolate(session, batch, frozen, answer, number)
            return "again"
        case Refused(reason=reason):
            # After an attempt without answer, a refusal proves nothing about that attempt.
            session.do(lambda c: ledger.answered(c, batch, number, reason, refused=True))
            return "again"
        case Throttled(everybody=True, reason=reason):
            _nothing_more(session, batch, number, reason)
            return "again" if _waits(session, outlet, answer) else "later"
        case Throttled(after=after, reason=reason):
            # It is about another attempt, and proves nothing: the outcome stays open.
            _put_off(session, batch, number, after, reason)
            return "later"
        case Later(after=after, reason=reason) | Unreachable(after=after, reason=reason):
            _nothing_more(session, batch, number, reason)
            _put_off(session, batch, number, after, reason)
            return "later"
        case Fatal(reason=reason):
            _nothing_more(session, batch, number, reason)
            raise ProviderFatal(f"{outlet.provider.name} refuses to send: {reason}")
        case Unknown(reason=reason, answered=True):
            # It may be about something sent under this key before our first attempt.
            since = session.clock() - outlet.provider.terms.key_is_kept
            session.do(lambda c: ledger.answered(c, batch, number, reason, refused=True, since=since))
            return "again"
        case Unknown():
            # What cannot be repeated is in doubt at once.
            return "later" if outlet.provider.terms.key_lives else "again"
        case _:
            assert_never(answer)


@dataclass(frozen=True)
class _Begun:
    """An attempt that the ledger knows of, and when it began, by both clocks."""

    number: int
    at: datetime
    at_monotonic: float


@dataclass(frozen=True)
class _Reissued:
    """The batch is closed, and a new one, still to be frozen, takes its place."""

    child: str


def _begin(session: DeliverySession, outlet: Outlet, batch: Batch, policy: Policy) -> _Begun | None:
    """Wait for a slot and record that the provider may have the batch; None: it is not to be sent now.

    A batch that waited for long (for a quota, a pause, a run that died), or of which somebody may not be mailed any
    more, is reissued instead.
    """

    def begin(connection: Connection, *, has_slot: bool) -> "RateSlot | int | _Reissued | None":
        if not session.may_send(connection, batch):
            return None
        slot = RateSlot(0.0) if has_slot else outlet.pacing.take(connection)
        if not slot.is_now:
            return slot
        if _is_stale(batch, at) or _is_suppressed(connection, batch, policy, at):
            child = ledger.reissue(connection, batch, at)
            return None if child is None else _Reissued(child)
        return ledger.begin_attempt(connection, batch, session.owner, at)

    def resolve(connection: Connection, *, has_slot: bool) -> "RateSlot | int | _Reissued | None":
        return ledger.begun(connection, batch, session.owner, at) or begin(connection, has_slot=has_slot)

    session.hear()
    at, at_monotonic = session.clock(), session.monotonic()
    begun = session.do(partial(begin, has_slot=False), resolve=partial(resolve, has_slot=False))
    if isinstance(begun, RateSlot):
        if not _waited_for(session, outlet, batch, begun):
            return None
        # Somebody may have given an order while it waited, or said no: everything is checked again.
        session.hear()
        at, at_monotonic = session.clock(), session.monotonic()
        begun = session.do(partial(begin, has_slot=True), resolve=partial(resolve, has_slot=True))
        assert not isinstance(begun, RateSlot)
    if isinstance(begun, _Reissued):
        session.cut.append(begun.child)
        return None
    return None if begun is None else _Begun(begun, at, at_monotonic)


def _is_stale(batch: Batch, now: datetime) -> bool:
    """Whether a batch that the provider has none of was frozen too long ago: it is checked and rendered again."""
    if batch.unresolved_since is not None or batch.frozen_at is None:
        return False
    return not -CLOCKS_DIFFER <= now - batch.frozen_at <= FRESH


def _is_suppressed(connection: Connection, batch: Batch, policy: Policy, now: datetime) -> bool:
    """Whether somebody was suppressed since a batch was frozen that the provider has none of."""
    if batch.unresolved_since is not None or suppressions.is_empty(connection):
        return False
    recipients = ledger.recipients(connection, batch.batch_id)
    return recipients is None or bool(suppressions.stopped(connection, recipients, policy.scopes, now))


def _waited_for(session: DeliverySession, outlet: Outlet, batch: Batch, slot: RateSlot) -> bool:
    if slot.closed_until is not None or slot.wait > PATIENCE:
        outlet.stopped_because = slot.reason or f"{outlet.provider.name} is called as often as it allows"
        session.left[batch.batch_id] = outlet.stopped_because
        return False
    session.pause(slot.wait)
    return True


def _slept(session: DeliverySession, begun: _Begun) -> bool:
    """Whether this process was suspended since it began. The monotonic clock stands still while a machine sleeps."""
    by_the_wall = session.clock() - begun.at
    by_itself = timedelta(seconds=session.monotonic() - begun.at_monotonic)
    return not timedelta(0) <= by_the_wall < LONGEST_LOOK or by_itself >= LONGEST_LOOK


def _nothing_more(session: DeliverySession, batch: Batch, number: int, reason: str) -> None:
    """The provider has no more of a batch than it had before this attempt."""
    if batch.unresolved_since is None:
        session.do(lambda c: ledger.nothing_happened(c, batch.batch_id, number, reason))
    else:
        session.do(lambda c: ledger.answered(c, batch, number, reason, refused=False))


def _put_off(session: DeliverySession, batch: Batch, number: int, after: float, reason: str) -> None:
    """Leave a batch for at least so many seconds, while others go on."""
    wait = min(max(timedelta(seconds=after), ledger.own_wait(number)), ledger.LONGEST_WAIT)
    session.do(lambda c: ledger.put_off(c, batch.batch_id, number, session.clock() + wait, reason))


def _waits(session: DeliverySession, outlet: Outlet, answer: Throttled) -> bool:
    """Wait for a throttled provider, together with all other runs; False: it takes too long, the run stops sending."""
    parks = outlet.throttled + answer.after > PATIENCE
    until = session.clock() + timedelta(seconds=answer.after)
    outlet.pacing.hold(until, answer.reason, closes=parks)
    if parks:
        outlet.stopped_because = answer.reason
        return False
    outlet.throttled += answer.after
    session.pause(answer.after)
    return True


def _isolate(session: DeliverySession, batch: Batch, frozen: Frozen, answer: Refused, number: int) -> None:
    """Take the refused message out; where the answer does not name it, halve the batch until it is alone."""
    emails = frozen.send_ids
    index = 0 if len(emails) == 1 else answer.index
    now = session.clock()

    def write(connection: Connection) -> list[str]:
        if not ledger.nothing_happened(connection, batch.batch_id, number, answer.reason):
            return []
        if index is None or not 0 <= index < len(emails):
            return ledger.split(connection, batch, halves(emails), now)
        ledger.refuse(connection, batch.batch_id, emails[index], answer.reason, now)
        rest = (*emails[:index], *emails[index + 1 :])
        return ledger.split(connection, batch, [rest] if rest else [], now)

    session.cut += session.do(write)
