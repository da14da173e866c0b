"""Check the provider's records for what became of a batch that its key cannot settle any more.

That is a batch whose key has expired, or was refused after an attempt without an answer. What the records show was
accepted. What they do not show counts as absent only if two looks agree, some minutes apart, the first well after the
last attempt without an answer: a provider may still process a request after its connection is cut, and its records may
be late.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.consent.permission import Purpose
from skene_dagster.consent.suppressions import Scope
from skene_dagster.delivery import ledger, modes
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.providers.base import Absent, Found, Terms, Unprovable
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.loops.plan import Email
from skene_dagster.store.engine import CLOCKS_DIFFER

BETWEEN_LOOKS = timedelta(minutes=5)
"""The time between two looks that prove an absence."""

RISKED_EVERY = timedelta(hours=23)
"""How often the risk of a second email is taken, by an author's word, where a provider knows no keys."""

ASKED_AGAIN = timedelta(minutes=10)
"""How long after a look that proved nothing the records are checked again, while the key lives."""


@dataclass(frozen=True)
class Policy:
    """What the loop says of a batch's outcome."""

    on_doubt: Literal["skip", "resend"] = "skip"
    """`resend` risks a second email; `skip` risks none at all."""
    write_back: bool = False
    """`set` is to be written for users whose email was accepted."""
    scopes: tuple[Scope, ...] | None = None
    """The suppressions that stop an attempt; None: any does, for nobody knows what a broken loop's email is for."""

    @staticmethod
    def of(session: DeliverySession, email: Email, on_doubt: Literal["skip", "resend"]) -> "Policy":
        """Read it from a plan: a rehearsal writes no `set`."""
        purpose = Purpose.of(session.settings, email.topic)
        return Policy(on_doubt, session.mode.name == "live" and bool(email.set), purpose.scopes)


def terms_of(batch: Batch) -> Terms:
    """Return the terms of the provider that a batch is frozen for."""
    return modes.terms(batch.mode, batch.provider)


def key_is_over(batch: Batch, now: datetime) -> bool:
    """Whether the provider may have forgotten the batch's key, so that another POST might be a second email.

    If a wrong clock recorded it, the time of its first use is unknown.
    """
    since = batch.unresolved_since
    if since is None:
        return False
    lives = terms_of(batch).key_lives
    return not (lives and now - lives < since <= now + CLOCKS_DIFFER)


def is_for_the_records(batch: Batch, now: datetime) -> bool:
    """Whether only the provider's records can settle the batch."""
    return batch.state == "in_doubt" or batch.refusal is not None or key_is_over(batch, now)


Next = Literal["again", "done", "later"]
"""Look at the batch again, for it has changed; it is settled; leave it for now."""


def look(session: DeliverySession, batch: Batch, frozen: Frozen | None, policy: Policy) -> Next:
    """Look into the records once, and close the batch, or record when to look again."""
    now = session.clock()
    is_over = key_is_over(batch, now)
    ripe, since = _ripe(batch), batch.unresolved_since
    assert since is not None
    if frozen is None:
        return wait_without_bytes(session, batch)
    if not is_over and now < ripe:
        session.do(
            lambda c: ledger.put_off(c, batch.batch_id, batch.attempts, ripe, batch.refusal or batch.error or "")
        )
        return "later"
    # A key that was used before our first attempt is over at once. Who takes the risk of a second email takes it once
    # in a key's life all the same: what was answered may have been accepted, and the next one be answered alike.
    own_end = max(batch.first_attempt_at or since, since) + (terms_of(batch).key_lives or RISKED_EVERY)
    takes_the_risk = policy.on_doubt == "resend" and batch.state != "in_doubt"
    outlet = session.outlet(batch.provider)
    found = outlet.provider.find(frozen, since, ledger.last_unanswered(batch), session.slot_wait(outlet))
    outlet.pacing.learn(outlet.provider.rate_limit)
    match found:
        case Found(ids=ids):
            return settle(session, batch, frozen, ids, policy)
        case Absent() if batch.absent_at is not None and now - batch.absent_at >= BETWEEN_LOOKS:
            _reissue(session, batch)
        case Absent():
            _wait_for_the_second_look(session, batch, is_first=now >= ripe)
        case Unprovable() if takes_the_risk and now >= own_end:
            _reissue(session, batch)
        case Unprovable(reason=reason) if is_over and not takes_the_risk:
            session.do(lambda c: ledger.doubt(c, batch.batch_id, reason, session.clock()))
        case Unprovable(reason=reason):
            again = min(session.clock() + ASKED_AGAIN, own_end)
            session.do(lambda c: ledger.put_off(c, batch.batch_id, batch.attempts, again, reason))
        case _:
            assert_never(found)
    return "later"


def _ripe(batch: Batch) -> datetime:
    """Say from when on records can prove that nothing of a batch was accepted."""
    return ledger.last_unanswered(batch) + (terms_of(batch).proves_after or timedelta(0))


def settle(session: DeliverySession, batch: Batch, frozen: Frozen, ids: tuple[str | None, ...], policy: Policy) -> Next:
    """Record that a batch was accepted; "again" means that its `set` is still to be written."""
    provider_ids = dict(zip(frozen.send_ids, ids, strict=True))
    now = session.clock()
    session.do(
        lambda c: ledger.settle(c, batch.batch_id, provider_ids, write_back=policy.write_back, now=now),
    )
    session.accepted += len(provider_ids)
    return "again" if policy.write_back else "done"


def _reissue(session: DeliverySession, batch: Batch) -> None:
    child = session.do(lambda c: ledger.reissue(c, batch, session.clock()))
    if child is not None:
        session.cut.append(child)


def _wait_for_the_second_look(session: DeliverySession, batch: Batch, *, is_first: bool) -> None:
    now = session.clock()
    if is_first:
        again = (batch.absent_at or now) + BETWEEN_LOOKS
        session.do(lambda c: ledger.shown_nothing(c, batch, now, again))
    else:
        again = _ripe(batch)
        session.do(lambda c: ledger.put_off(c, batch.batch_id, batch.attempts, again, batch.error or ""))


def wait_without_bytes(session: DeliverySession, batch: Batch) -> Next:
    """Leave a batch whose bytes are gone and that the provider may have: it can be neither sent nor found any more."""
    gone, since = "its bytes are gone from the ledger", batch.unresolved_since
    assert since is not None

    def write(connection: Connection) -> None:
        if key_is_over(batch, session.clock()):
            ledger.doubt(connection, batch.batch_id, gone, session.clock())
        else:
            again = min(session.clock() + ledger.LONGEST_WAIT, since + terms_of(batch).key_lives)
            ledger.put_off(connection, batch.batch_id, batch.attempts, again, gone)

    session.do(write)
    return "later"
