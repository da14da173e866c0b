"""Advance: take one batch through its states as far as possible now; both deliver and reconcile use this."""

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.delivery import ledger
from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.model import Batch
from skene_dagster.delivery.send.attempt import attempt
from skene_dagster.delivery.send.freeze import freeze_batch
from skene_dagster.delivery.send.records import Next, Policy, is_for_the_records, look, wait_without_bytes
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.delivery.send.source import Source
from skene_dagster.delivery.send.write_back import write_back
from skene_dagster.errors import DeliveryError, SkeneError, SpoolError, StoreUnavailable

STEPS = 20
"""How often one batch is tried, whatever the outcome, before the others get their turn."""


def advance(session: DeliverySession, batch_id: str, policy: Policy, source: Source | None) -> Batch | None:
    """Work on a batch until it is settled, or has to wait; then give it back.

    An error with this batch alone is recorded with it and in `session.failed`; it holds up no other.

    Args:
        source: None if its loop is broken or gone: nothing of it is rendered then, and no `set` written.

    Returns:
        The batch as it was claimed; None if another run has it.

    Raises:
        ProviderFatal: the provider refuses everything.
        SpoolError: what recipients answered waits on this machine, and cannot be read.
        StoreUnavailable: the database cannot be reached.
    """
    claimed, is_done = None, False
    try:
        claimed, frozen = _claim(session, batch_id, policy, source)
        if claimed is not None:
            is_done = _drive(session, claimed, frozen, policy, source)
    except Exception as error:
        if isinstance(error, StoreUnavailable | DeliveryError | SpoolError):
            raise
        _fail(session, batch_id, error)
    finally:
        # Closing a batch also gives it back.
        if claimed is not None and not is_done:
            session.release(batch_id)
    return claimed


def _claim(
    session: DeliverySession, batch_id: str, policy: Policy, source: Source | None
) -> tuple[Batch | None, Frozen | None]:
    """Claim a batch, and freeze it if that is still to be done.

    Returns:
        None if another run has it; and its bytes, unless they are in the ledger, nothing of it is to be sent, or it was
        cut up.
    """

    def claim(connection: Connection) -> tuple[Batch | None, Frozen | None]:
        batch = ledger.claim(connection, batch_id, session.owner, session.clock())
        if batch is None or batch.state != "reserved" or source is None:
            return batch, None
        if session.mode.leaves:
            ledger.set_apart(connection, batch, write_back=policy.write_back, now=session.clock())
        if not session.may_send(connection, batch):
            return batch, None
        frozen = freeze_batch(connection, batch, source, session)
        return ledger.batch_of(connection, batch_id), frozen

    session.hear()
    return session.do(claim)


def _drive(
    session: DeliverySession, claimed: Batch, frozen: Frozen | None, policy: Policy, source: Source | None
) -> bool:
    """Move a claimed batch from state to state; return whether it is closed."""
    batch: Batch | None = claimed
    for _ in range(STEPS):
        if batch is None:
            return False
        frozen = frozen or session.do(lambda c: ledger.frozen(c, claimed.batch_id))
        next_ = _step(session, batch, frozen, policy, source)
        if next_ != "again":
            return next_ == "done"
        batch = session.claim(claimed.batch_id)
    if batch is not None:
        wait = session.clock() + ledger.own_wait(batch.attempts)
        session.do(
            lambda c: ledger.put_off(
                c, batch.batch_id, batch.attempts, wait, batch.error or "it was tried too often at once"
            )
        )
    return False


def _step(session: DeliverySession, batch: Batch, frozen: Frozen | None, policy: Policy, source: Source | None) -> Next:
    match batch.state:
        case "accepted" if source is not None:
            write_back(session, batch, source.step)
            return "done"
        case "frozen" | "in_doubt" if is_for_the_records(batch, session.clock()):
            return look(session, batch, frozen, policy)
        case "frozen" | "reserved" if frozen is not None and not _is_anothers(batch, source):
            return attempt(session, batch, frozen, policy)
        case "frozen":
            return _go_on_with_other_bytes(session, batch)
        case "reserved" | "accepted" | "in_doubt" | "settled" | "split":
            return "later"
        case _:
            assert_never(batch.state)


def _is_anothers(batch: Batch, source: Source | None) -> bool:
    """Whether a batch that nobody may have has the bytes of a provider that its step sends by no more."""
    if source is None or batch.unresolved_since is not None:
        return False
    return batch.provider != source.email.provider


def _go_on_with_other_bytes(session: DeliverySession, batch: Batch) -> Next:
    """Go on with a batch whose bytes are another provider's, or gone: closed meanwhile, or taken out of the ledger."""
    if batch.unresolved_since is not None:
        return wait_without_bytes(session, batch)

    def reissue(connection: Connection) -> str | None:
        # The provider has none of it, so it may be rendered again.
        is_open = ledger.batch_of(connection, batch.batch_id).state == "frozen"
        return ledger.reissue(connection, batch, session.clock()) if is_open else None

    child = session.do(reissue)
    session.cut += [] if child is None else [child]
    return "again"


def _fail(session: DeliverySession, batch_id: str, error: Exception) -> None:
    """Record what went wrong with a batch, and send it to the end of the queue: it is due again, after all others."""
    session.failed[batch_id] = error
    # An exception that is not ours may quote a row's values.
    said = error.message if isinstance(error, SkeneError) else f"this failed: {type(error).__name__}"

    def write(connection: Connection) -> None:
        batch = ledger.batch_of(connection, batch_id)
        ledger.put_off(connection, batch_id, batch.attempts, session.clock(), said)

    session.do(write)
