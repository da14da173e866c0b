"""What one delivery works with, and what it has to leave to a later one."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine

from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.model import Batch, DueBatch
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.providers.base import Answer, Provider, Throttled, Unknown
from skene_dagster.delivery.send.pacing import UNTIL_TOLD, Pacing
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
class DeliverySession:
    """The tools of one run: a database, a provider, clocks, and a name to hold leases by.

    `pause` waits so many seconds; `monotonic` is a clock that nobody sets; `owner` is unique per process and attempt;
    `say` is called with a sentence about what the run waits for.
    """

    engine: Engine
    settings: Settings
    mode: Mode
    provider: Provider
    clock: Clock
    owner: str
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = lambda _: None
    unanswered: dict[str, str] = field(default_factory=dict)
    """Batches of this run without an answer, and what came instead of it."""
    silence: int = 0
    """How many attempts in a row got no answer. Any answer shows that the provider is alive."""
    accepted: int = 0
    """Emails that the provider accepted, as far as this run has seen it."""
    throttled: float = 0.0
    """Seconds spent waiting in a row because the provider is called too often."""
    parked: str = ""
    """Why nothing more is sent for now."""
    failed: dict[str, Exception] = field(default_factory=dict)
    """Batches of this run that could not be worked on, and what went wrong."""
    cut: list[str] = field(default_factory=list)
    """Batches that this run split off from others."""

    def __post_init__(self) -> None:
        share = self.settings.sender.rate_share
        self.pacing = Pacing(self.engine, self.provider.account, share, self.clock)

    @property
    def stops(self) -> bool:
        """Whether this run sends nothing more."""
        return bool(self.parked) or self.silence >= GIVE_UP

    def do(
        self, work: Callable[[Connection], Result], *, resolve: Callable[[Connection], Result] | None = None
    ) -> Result:
        """Do it in one transaction, and again if the connection breaks during COMMIT, since it compares before it sets.

        Args:
            resolve: what to do then, if a second time would give another answer than the first.
        """
        return transaction(self.engine, work, resolve=resolve or work)

    def key_of(self, batch_id: str) -> str:
        """Return the idempotency key of a batch, which a rehearsal with the same API key never uses."""
        return f"skene/{self.settings.environment}/{batch_id}"

    def claim(self, batch_id: str) -> Batch | None:
        """Take a batch, as `ledger.claim` does."""
        return self.do(lambda c: ledger.claim(c, batch_id, self.owner, self.clock()))

    def release(self, batch_id: str) -> None:
        """Give a batch back, with the reason why it is not done."""
        why = self.unanswered.get(batch_id) or self.parked or None
        # If the database is gone, the lease expires by itself.
        with suppress(StoreError):
            self.do(lambda c: ledger.release(c, batch_id, self.owner, why))

    def hears(self, batch_id: str, answer: Answer) -> None:
        """Count attempts without an answer; any answer resets the count."""
        if isinstance(answer, Unknown) and not answer.answered:
            self.silence += 1
            self.unanswered[batch_id] = answer.reason
        else:
            self.silence = 0
            self.unanswered.pop(batch_id, None)
        if not isinstance(answer, Throttled):
            self.throttled = 0.0

    def wait_for(self, others: Sequence[DueBatch]) -> None:
        """Other runs hold all that is left: wait for the first of their leases, checking now and then."""
        first = min(others, key=lambda row: row.lease_until or self.clock())
        ends = first.lease_until or self.clock()
        self.say(f"{len(others)} batches are held by run {first.owner}; its lease ends at {ends:%H:%M:%S} UTC.")
        self.pause(min(max((ends - self.clock()).total_seconds(), 0.1), 5.0))

    def turn(self, seconds: float) -> None:
        """Wait for so many seconds, and then for a slot to read the provider's records, which uses no quota."""
        self.pause(min(seconds, PATIENCE))
        turn = self.do(self.pacing.take)
        self.pause(min(turn.wait, PATIENCE) if turn.closed_until is None else 1 / UNTIL_TOLD)

    def may_send(self, connection: Connection, batch: Batch) -> bool:
        """Read people's orders and the clock; False: the batch is dropped, or everything stops."""
        orders = controls.orders(connection, batch.loop, batch.step)
        now = self.clock()
        was_tried = batch.unresolved_since is not None
        # A page that was being reserved while the order came belongs to a tick before it.
        if not was_tried and orders.cancels(min(batch.reserved_at, batch.as_of), now):
            ledger.drop(connection, batch.batch_id, "cancelled", now)
            return False
        if not was_tried and now - batch.reserved_at > self.settings.limits.expires_after:
            ledger.drop(connection, batch.batch_id, "too_late", now)
            return False
        if orders.paused:
            self.parked = PAUSED
        return not orders.paused

    def complain(self) -> None:
        """Fail if batches got no answer in this run, or could not be worked on; not because others only wait.

        Raises:
            ProviderUnavailable: a retry sends these batches again with the same keys and bytes.
            Exception: the first that kept a batch from being worked on.
        """
        if self.unanswered:
            raise ProviderUnavailable(
                f"{len(self.unanswered)} batches got no answer from {self.provider.name} "
                f"({next(iter(self.unanswered.values()))}).",
                advice="They are sent again under the same keys: nobody is mailed twice.",
            )
        for error in self.failed.values():
            raise error
