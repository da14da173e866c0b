"""Read the inbox: receipts are filled in, and dead addresses and those of people who complained are suppressed.

Events come unordered, late and twice; read again, they change nothing. Each page is one transaction, so that a process
that dies has read it or has not.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from skene_dagster.consent import listing
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Reason, Suppression, suppress
from skene_dagster.consent.writing import write
from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import Receipt
from skene_dagster.delivery.model import ModeName
from skene_dagster.errors import StoreError, StoreUnavailable
from skene_dagster.feedback import inbox
from skene_dagster.feedback.bounces import LOOKED_AT, ailing, judge
from skene_dagster.feedback.inbox import Event
from skene_dagster.feedback.merging import merged
from skene_dagster.feedback.provider_list.sweep import REASONS
from skene_dagster.store.engine import Clock, reading
from skene_dagster.store.environment import ledger_id

PAGE = 200
"""Events per transaction."""

WAITS = timedelta(days=7)
"""How long an event waits for its email to be known as accepted: so long an email in doubt keeps its bytes."""

SOFT = "three soft bounces"
"""The source of a suppression that ends by itself."""


@dataclass
class Drained:
    """What was read."""

    events: int = 0
    waiting: int = 0
    """Looked at, and left for later: their email is not known as accepted yet."""
    suppressed: int = 0
    """Recipients who were added to the list of suppressions."""
    failed: int = 0
    """Events that the database refused to have read; they are tried again later."""


def drain(
    engine: Engine, clock: Clock, *, seconds: float, monotonic: Callable[[], float] = time.monotonic, page: int = PAGE
) -> Drained:
    """Read what is due, a page at a time; the last page may end later than the seconds do.

    Raises:
        StoreUnavailable: the database cannot be reached; what was read by then is.
    """
    drained, ends, size = Drained(), monotonic() + seconds, page
    while monotonic() < ends:
        try:
            events, waiting, suppressed = write(engine, partial(_page, size=size, now=clock()))
        except StoreUnavailable:
            raise
        except StoreError:
            # One event that cannot be read holds up no other.
            if size == 1:
                drained.failed += write(engine, partial(_set_aside, now=clock()))
            size = 1
            continue
        if not events:
            break
        drained.events += events - waiting
        drained.waiting += waiting
        drained.suppressed += suppressed
    return drained


def is_wanted(engine: Engine, clock: Clock) -> bool:
    """Whether anything is to be read."""
    return reading(engine, partial(inbox.is_due, now=clock()))


def _set_aside(connection: Connection, now: datetime) -> int:
    for event in inbox.due(connection, 1, now):
        inbox.put_off(connection, event, now, inbox.LONGEST_WAIT)
        return 1
    return 0


def _page(connection: Connection, size: int, now: datetime) -> tuple[int, int, int]:
    """Read a page; return how many events it had, how many of them wait, and how many recipients were suppressed."""
    events = inbox.due(connection, size, now)
    if not events:
        return 0, 0, 0
    page = _Page.of(connection, events)
    suppressed = page.apply(connection, now)
    waiting = 0
    read: defaultdict[inbox.Read, list[str]] = defaultdict(list)
    for event in events:
        read_as = page.read_as(event, now)
        if read_as is None:
            inbox.put_off(connection, event, now)
            waiting += 1
        else:
            read[read_as].append(event.report.event_id)
    for read_as, event_ids in read.items():
        inbox.was_read(connection, event_ids, read_as)
    return len(events), waiting, suppressed


@dataclass(frozen=True)
class _Page:
    """Some events, and what is known of their emails."""

    events: Sequence[Event]
    receipts: Mapping[str, Receipt]
    """By the event's id."""
    modes: Mapping[str, ModeName]
    """Of the batches that the events' emails name."""
    mine: str
    """This ledger's name."""
    names: Recipients

    @staticmethod
    def of(connection: Connection, events: Sequence[Event]) -> "_Page":
        reports = [event.report for event in events]
        send_ids = {one.send_id for one in reports if one.send_id is not None}
        provider_ids = {one.provider_id for one in reports if one.provider_id is not None}
        found = ledger.receipts_of(connection, send_ids, provider_ids)
        by_send = {one.send_id: one for one in found}
        by_provider = {one.provider_id: one for one in found if one.provider_id is not None}
        receipts = {
            one.event_id: receipt
            for one in reports
            if (receipt := by_send.get(one.send_id or "") or by_provider.get(one.provider_id or "")) is not None
        }
        batches = {_batch(one.origin) for one in reports if one.origin is not None}
        modes = ledger.modes_of(connection, batches)
        return _Page(events, receipts, modes, ledger_id(connection), Recipients.of(connection))

    def read_as(self, event: Event, now: datetime) -> inbox.Read | None:
        """Say what becomes of an event; None: it waits for its email to be known as accepted."""
        report = event.report
        if report.kind in ("other", "unknown", "listed"):
            return "noted"
        if report.event_id in self.receipts:
            return "applied"
        if self._is_foreign(event):
            return "foreign"
        # Without a tag of ours it is not of ours.
        return None if report.send_id is not None and now - event.received_at < WAITS else "unknown"

    def apply(self, connection: Connection, now: datetime) -> int:
        """Fill in the receipts and suppress whom to; return how many were added to the list."""
        told: defaultdict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            if receipt := self.receipts.get(event.report.event_id):
                told[receipt.send_id].append(event)
        receipts = {one.send_id: one for one in self.receipts.values()}
        soft: dict[str, str | None] = {}
        changed: list[tuple[Receipt, Receipt]] = []
        for send_id, events in sorted(told.items()):
            before = receipts[send_id]
            after = merged(self._completed(before, events), [event.report for event in events])
            changes = {name: value for name, value in asdict(after).items() if value != getattr(before, name)}
            if changes:
                ledger.change_receipt(connection, send_id, changes)
                changed.append((before, after))
            if after.bounce == "soft" and after.mode == "live" and after.recipient is not None:
                soft[after.recipient] = next((one.report.address for one in events if one.report.address), None)
        ledger.count_changes(connection, changed)
        entries = [entry for event in self.events for entry in self._suppressions(event)]
        entries += [
            entry for recipient, address in soft.items() for entry in _of_soft(connection, recipient, address, now)
        ]
        return len(suppress(connection, entries, now)) if entries else 0

    def _completed(self, receipt: Receipt, events: Sequence[Event]) -> Receipt:
        """Add to a receipt what was not known when it was written: its email's id, and whom it went to."""
        for event in events:
            report = event.report
            if receipt.provider_id is None and report.provider_id is not None:
                receipt = replace(receipt, provider_id=report.provider_id)
            if receipt.recipient is None and report.address is not None and receipt.mode == "live":
                receipt = replace(receipt, recipient=self.names.checked(report.address))
        return receipt

    def _suppressions(self, event: Event) -> Iterator[Suppression]:
        """Say whom an event suppresses at once."""
        report, reason = event.report, _reason(event)
        receipt = self.receipts.get(report.event_id)
        mode = self.modes.get(_batch(report.origin)) if receipt is None else receipt.mode
        # Of a rehearsal the address is the tester's; of another ledger's email nobody knows whose it is.
        if reason is None or mode not in (None, "live") or (receipt is None and self._is_foreign(event)):
            return
        recipient = receipt.recipient if receipt is not None else None
        if report.address is not None:
            recipient = self.names.checked(report.address)
        if recipient is not None:
            yield Suppression(recipient, "all", report.at, reason, event.provider, report.address)

    def _is_foreign(self, event: Event) -> bool:
        origin = event.report.origin
        return origin is not None and origin.rpartition("-")[0] != self.mine


def _batch(origin: str | None) -> str:
    return (origin or "").rpartition("-")[2]


def _reason(event: Event) -> Reason | None:
    """Say why nothing may reach an address any more after an event; None: it may."""
    report = event.report
    if report.kind == "complained":
        return "complaint"
    if report.kind == "rejected":
        return "provider"
    if report.kind == "listed":
        return next((reason for origin, reason in REASONS.items() if origin == report.detail), "provider")
    is_hard = judge(report.bounce_type, report.bounce_sub_type, report.status_codes) == "hard"
    return "bounce" if report.kind == "bounced" and is_hard else None


def _of_soft(connection: Connection, recipient: str, address: str | None, now: datetime) -> Iterator[Suppression]:
    """Suppress an address for a while that several emails in a row did not reach."""
    past = [one for one in listing.history(connection, [recipient], ["all"]) if one.suppression.until <= now]
    since = max((one.suppression.until for one in past), default=None)
    again = any(one.suppression.source == SOFT and one.lift_reason is None for one in past)
    found = ailing(ledger.latest_to(connection, recipient, since, LOOKED_AT), again=again)
    if found is not None:
        yield Suppression(recipient, "all", found.since, "bounce", SOFT, address, found.until)
