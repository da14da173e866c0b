"""What one delivery works with, and what it has to leave to a later one."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine

from skene_dagster.consent.spool.draining import drain
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.model import Batch, DueBatch
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Answer, Provider, SlotWait, Throttled, Unknown, Unreachable
from skene_dagster.delivery.send.pacing import Pacing
from skene_dagster.errors import ProviderUnavailable, StoreError
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock, transaction

PATIENCE = 60.0
"""The most seconds to sleep at a time, and in a row for a provider that is called too often."""

GIVE_UP = 3
"""Batches in a row without an answer, after which the provider counts as down and the run stops."""

PAUSED = "paused"
"""The reason while a person has paused the loop; other loops go on."""

Result = TypeVar("Result")


@dataclass
class Outlet:
    """A provider as one run uses it, and how far that run has got with it."""

    provider: Provider
    pacing: Pacing
    silence: int = 0
    """Attempts in a row without an answer. Any answer shows that the provider is alive."""
    throttled: float = 0.0
    """Seconds waited in a row because it was called too often."""
    stopped_because: str = ""
    """Why nothing more is sent to it for now."""

    @property
    def stops(self) -> bool:
        """Whether this run sends nothing more to it."""
        return bool(self.stopped_because) or self.silence >= GIVE_UP


@dataclass
class DeliverySession:
    """The tools of one run: a database, providers, clocks, and a name to hold leases by.

    `open_provider` opens one by its name; `pause` waits so many seconds; `monotonic` is a clock that nobody sets;
    `owner` is unique per process and attempt; `say` is called with a sentence about what the run waits for.
    """

    engine: Engine
    settings: Settings
    mode: Mode
    open_provider: Callable[[str], Provider]
    clock: Clock
    owner: str
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = lambda _: None
    unanswered: dict[str, str] = field(default_factory=dict)
    """Batches of this run without an answer, and what came instead of it."""
    accepted: int = 0
    """Emails that were accepted, as far as this run has seen it."""
    paused: bool = False
    """What was looked at last is paused."""
    paused_because: str | None = None
    """What paused it; None: a person."""
    left: dict[str, str] = field(default_factory=dict)
    """Batches that this run has to give back, and why."""
    failed: dict[str, Exception] = field(default_factory=dict)
    """Batches of this run that could not be worked on, and what went wrong."""
    cut: list[str] = field(default_factory=list)
    """Batches that this run cut out of others."""
    outlets: dict[str, Outlet] = field(default_factory=dict)
    """The providers that were used, by name."""

    def outlet(self, name: str | None) -> Outlet:
        """Return a provider, opened when it is first asked for.

        Args:
            name: as a batch that is frozen has it.

        Raises:
            ProviderFatal: the environment lacks what it cannot send without.
        """
        assert name is not None
        if name not in self.outlets:
            provider = self.open_provider(name)
            share, starts_at = self.settings.sender.rate_share, provider.terms.starts_at
            pacing = Pacing(self.engine, provider.account, share, self.clock, starts_at)
            self.outlets[name] = Outlet(provider, pacing)
        return self.outlets[name]

    @property
    def stopped(self) -> frozenset[str]:
        """The providers that this run sends nothing more to."""
        return frozenset(name for name, outlet in self.outlets.items() if outlet.stops)

    @property
    def why_paused(self) -> str:
        """Say that it is paused, and by what if it was not a person."""
        return f"{PAUSED}: {self.paused_because}" if self.paused_because else PAUSED

    @property
    def stopped_because(self) -> str:
        """Why something is not sent for now; empty where all is sent that can be."""
        reasons = (outlet.stopped_because for outlet in self.outlets.values())
        return self.why_paused if self.paused else next(filter(None, reasons), "")

    def do(
        self, work: Callable[[Connection], Result], *, resolve: Callable[[Connection], Result] | None = None
    ) -> Result:
        """Do it in one transaction, and again if the connection breaks during COMMIT, since it compares before it sets.

        Args:
            resolve: what to do then, if a second time would give another answer than the first.
        """
        return transaction(self.engine, work, resolve=resolve or work)

    def hear(self) -> None:
        """Write down first what recipients said while the database was away.

        Raises:
            SpoolError: it cannot be read: nothing may be sent.
        """
        drain(self.engine, Spool(self.settings.spool), self.clock)

    def key_of(self, batch_id: str) -> str:
        """Return the idempotency key of a batch, which a rehearsal with the same API key never uses."""
        return f"skene/{self.settings.environment}/{batch_id}"

    def claim(self, batch_id: str) -> Batch | None:
        """Take a batch, as `ledger.claim` does."""
        return self.do(lambda c: ledger.claim(c, batch_id, self.owner, self.clock()))

    def release(self, batch_id: str) -> None:
        """Give a batch back, with the reason why it is not done."""
        why = self.unanswered.get(batch_id) or self.left.pop(batch_id, None)
        # If the database is gone, the lease ends by itself.
        with suppress(StoreError):
            self.do(lambda c: ledger.release(c, batch_id, self.owner, why))

    def hears(self, outlet: Outlet, batch_id: str, answer: Answer) -> None:
        """Count attempts without an answer, until there is one."""
        if isinstance(answer, Unreachable) or (isinstance(answer, Unknown) and not answer.answered):
            # Where nothing can be repeated, another silence would be another doubt.
            is_doubt = isinstance(answer, Unknown) and not outlet.provider.terms.key_lives
            outlet.silence = GIVE_UP if is_doubt else outlet.silence + 1
            self.unanswered[batch_id] = answer.reason
        else:
            outlet.silence = 0
            self.unanswered.pop(batch_id, None)
        if not isinstance(answer, Throttled):
            outlet.throttled = 0.0

    def wait_for(self, others: Sequence[DueBatch]) -> None:
        """Other runs hold all that is left: wait for the first of their leases, checking now and then."""
        first = min(others, key=lambda row: row.lease_until or self.clock())
        ends = first.lease_until or self.clock()
        self.say(f"{len(others)} batches are held by run {first.owner}; its lease ends at {ends:%H:%M:%S} UTC.")
        self.pause(min(max((ends - self.clock()).total_seconds(), 0.1), 5.0))

    def slot_wait(self, outlet: Outlet) -> SlotWait:
        """Return what waits for so many seconds, and then for a slot to read the provider's records.

        Reading uses up no quota: if the account is closed for one, its records are read all the same.
        """

        def wait_for_slot(seconds: float) -> None:
            self.pause(min(seconds, PATIENCE))
            slot = self.do(outlet.pacing.take)
            is_open = slot.closed_until is None
            self.pause(min(slot.wait, PATIENCE) if is_open else 1 / outlet.provider.terms.starts_at)

        return wait_for_slot

    def may_send(self, connection: Connection, batch: Batch) -> bool:
        """Read people's orders and the clock; False: the batch is dropped, or everything stops."""
        orders = controls.orders(connection, batch.loop, batch.step)
        now = self.clock()
        was_tried = batch.unresolved_since is not None
        # A page that was being reserved while the order came belongs to a tick before it.
        if not was_tried and orders.cancels(min(batch.reserved_at, batch.as_of), now):
            ledger.drop(connection, batch.batch_id, "cancelled", now)
            return False
        if not was_tried and now - batch.waits_since > self.settings.limits.expires_after:
            ledger.drop(connection, batch.batch_id, "too_late", now)
            return False
        self.paused, self.paused_because = orders.paused, orders.paused_because
        if orders.paused:
            self.left[batch.batch_id] = PAUSED
        return not orders.paused

    def close(self) -> None:
        """Close the providers' connections."""
        for outlet in self.outlets.values():
            outlet.provider.close()

    def complain(self) -> None:
        """Fail if batches got no answer in this run, or could not be worked on; not because others only wait.

        Raises:
            ProviderUnavailable: a retry sends these batches again with the same keys and bytes.
            Exception: the first that kept a batch from being worked on.
        """
        if self.unanswered:
            names = " or ".join(outlet.provider.name for outlet in self.outlets.values())
            raise ProviderUnavailable(
                f"{len(self.unanswered)} batches got no answer from {names} ({next(iter(self.unanswered.values()))}).",
                advice="They are sent again under the same keys; where there are none, what may have been taken is in "
                "doubt. Nobody is mailed twice.",
            )
        for error in self.failed.values():
            raise error
