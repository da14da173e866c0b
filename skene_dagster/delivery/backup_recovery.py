"""A ledger that was restored from a backup: it does not know what it sent since, and would send it again.

Each email that leaves names its ledger and batch in a tag. So the newest ones in the provider's records tell whether
the ledger is as new as they are; while it is not, nothing is sent. `recover` reads what was sent since: a send's id
follows from its key alone, so that the same decision, made again, finds that its email has left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.providers.base import Denied, Sent
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import DeliveryError, LedgerOutdated
from skene_dagster.store import environment

LOOKS = 20
"""Records that are looked into for the newest email of this ledger: others may send by the same account."""

ALL = 20_000
"""Records that are looked into for what a ledger does not know."""

PAGE = 1000
"""Emails per transaction."""


@dataclass(frozen=True)
class Recovered:
    """What the provider's records told."""

    emails: int
    """Emails that the ledger did not know, which are now recorded."""
    since: datetime | None
    """How far back was looked: to the ledger's newest attempt. None: it knows of none."""
    left: str
    """Why the records could not be read as far; empty where they were."""


def refuse_an_outdated_ledger(session: DeliverySession, provider: str) -> None:
    """Stop where a provider's records know of an email of this ledger's that the ledger does not.

    Where they cannot be read, nothing is proven and nothing stopped. Looked at are the newest emails, down to one that
    the ledger has as accepted: what may have left by an old attempt says nothing of what was sent since.

    Args:
        provider: its name.

    Raises:
        LedgerOutdated: the ledger is older than its newest emails.
    """
    is_checked = False
    try:
        for sent in _ours(session, provider, _newest_attempt(session), LOOKS):
            if not session.do(partial(_known, emails=[sent])):
                raise LedgerOutdated(
                    f"{session.outlet(provider).provider.name} accepted an email of this ledger's at "
                    f"{sent.at:%Y-%m-%d %H:%M:%S} UTC of which the ledger knows nothing: it was restored from an older "
                    "backup. Nothing is sent.",
                    advice="Run: skene-dagster recover",
                )
            is_checked = True
            if session.do(partial(_is_accepted, sent=sent)):
                return
    except Denied as denied:
        if not is_checked:
            session.say(f"Could not check whether the ledger was restored from a backup: {denied}.")


def recover(session: DeliverySession, providers: Sequence[str], *, incomplete: bool = False) -> Recovered:
    """Write down what the providers' records know of this ledger's emails and the ledger does not. Idempotent.

    Args:
        providers: the names of those whose records are read.
        incomplete: keep what the records tell, even if they do not reach back to the ledger's newest attempt.

    Raises:
        DeliveryError: the records cannot be read, or not as far; nothing was written.
        StoreError: the database refused.
    """
    since = _newest_attempt(session)
    found: dict[str, Sent] = {}
    unread: list[str] = []
    for provider in providers:
        told, why = _told(session, provider, since)
        found |= told
        unread += [why] if why else []
    left = "; ".join(unread)
    if left and not incomplete:
        raise DeliveryError(
            f"Cannot find out what was sent since the backup: {left}.",
            advice="Use a key that may read, if the provider has records. Or accept the incomplete records, and risk "
            "second emails to all others: skene-dagster recover --incomplete",
        )
    # A run is refused for the newest at the latest: it is written last, together with what makes its batch safe.
    oldest_first = [*reversed(found.values())]
    oldest_first.sort(key=lambda sent: sent.at)
    *older, newest = _pages(oldest_first)
    unknown = sum(session.do(partial(_remember, emails=page)) for page in older)

    def complete(connection: Connection) -> int:
        remembered = _remember(connection, newest)
        ledger.refuse_keys(connection)
        ledger.reissue_frozen(connection, session.clock())
        return remembered

    unknown += session.do(complete)
    return Recovered(unknown, since, left)


def _told(session: DeliverySession, provider: str, since: datetime | None) -> tuple[dict[str, Sent], str]:
    """Read a provider's records of this ledger's emails, by send id; and why they could not be read as far."""
    found: dict[str, Sent] = {}
    try:
        for sent in _ours(session, provider, since, ALL):
            # The newest of a send counts: an older one may have left by a batch that the backup has.
            found.setdefault(sent.send_id, sent)
    except Denied as denied:
        # A record of what the ledger knows is as far back as need be, though a young account has none before it.
        reaches_back = any(session.do(partial(_known, emails=page)) for page in _pages(list(found.values())))
        return found, "" if reaches_back else str(denied)
    return found, ""


def _pages(emails: Sequence[Sent]) -> list[Sequence[Sent]]:
    """Cut emails into pages of one transaction each; at least one."""
    return [emails[start : start + PAGE] for start in range(0, max(len(emails), 1), PAGE)]


def _newest_attempt(session: DeliverySession) -> datetime | None:
    return session.do(lambda c: ledger.newest_attempt(c, session.mode.name, session.clock()))


def _ours(session: DeliverySession, provider: str, since: datetime | None, most: int) -> Iterator[Sent]:
    """List this ledger's emails since a moment, the newest first, as a provider's records have them."""
    mine, outlet = session.do(environment.ledger_id), session.outlet(provider)
    records = outlet.provider.sent(since, session.slot_wait(outlet), most)
    return (sent for sent in records if sent.origin.startswith(f"{mine}-"))


def _known(connection: Connection, emails: Sequence[Sent]) -> set[str]:
    """Name the sends of these of which the ledger knows that they may have left."""
    return ledger.known(connection, {sent.send_id: _batch_of(sent) for sent in emails})


def _is_accepted(connection: Connection, sent: Sent) -> bool:
    return ledger.is_accepted(connection, sent.send_id, _batch_of(sent))


def _batch_of(sent: Sent) -> str:
    return sent.origin.rpartition("-")[2]


def _remember(connection: Connection, emails: Sequence[Sent]) -> int:
    known = _known(connection, emails)
    new = [sent for sent in emails if sent.send_id not in known]
    ledger.remember(connection, {sent.send_id: (sent.provider_id, sent.at) for sent in new})
    return len(new)
