"""What the gates would say of a tick that is only rehearsed, before its segment is refreshed."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection, Table, inspect

from skene_dagster.checks import fresh_sources
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.decide.eligibility import Rules
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.gates import judging, looking
from skene_dagster.delivery.decide.gates.judging import Addresses, Gate
from skene_dagster.delivery.decide.send_audience import SendAudience
from skene_dagster.delivery.model import GateName
from skene_dagster.store import tables
from skene_dagster.store.failures import translated


class Tally:
    """What the gates measure, counted while it is decided."""

    def __init__(self, audience: SendAudience, connection: Connection) -> None:
        self._audience = audience
        self._connection = connection
        # An older release has fewer columns, or nothing yet.
        self._has_orders = is_whole(connection, tables.controls)
        progress = ledger.progress(connection, audience.scope) if is_whole(connection, tables.steps) else None
        self._progress = progress or ledger.StepProgress(None, None)
        self._addresses = Addresses()
        self._emails: Counter[datetime] = Counter()

    def rules(self, first_as_of: datetime) -> Rules:
        """Say by which rules it is decided; see `SendAudience.rules`."""
        if not self._has_orders:
            return self._audience.rules_without_orders(first_as_of)
        return self._audience.rules(self._connection, first_as_of, self._audience.as_of)

    def count(self, person: Person, inside_since: datetime | None, *, emails: int, waits: bool) -> None:
        """Count a user, one of their rows, or an account, who enters at this tick (None) or did so before."""
        as_of, decided_up_to = self._audience.as_of, self._progress.reserved_as_of
        is_new = inside_since is None or decided_up_to is None or inside_since > decided_up_to
        if is_new and not waits and self._audience.settings.limits.unmailable is not None:
            self._addresses += looking.address_of(person)
        if emails:
            self._emails[as_of if waits else inside_since or as_of] += emails

    def shut(self, now: datetime, room: int | None) -> dict[GateName, str]:
        """Name the gates that would hold a run, and what they would say.

        Args:
            room: see `looking.look`.
        """
        audience, connection = self._audience, self._connection
        limits = audience.settings.limits
        found: list[Gate | None] = [*self._fresh(now)]
        found.append(judging.unmailable(limits, self._addresses))
        has_batches = inspect(connection).has_table(tables.batches.name)
        largest = looking.largest_tick(connection, audience) if has_batches else None
        emails = looking.at_most(max(self._emails.values(), default=0), room)
        found.append(judging.volume(limits, emails, largest))
        if audience.mode.name == "live" and largest is None:
            found.append(judging.first_wave(limits, self._emails.total()))
        return self._said(gate for gate in found if gate is not None and gate.is_shut)

    def shut_when_last_measured(self, now: datetime) -> dict[GateName, str]:
        """Name the gates that would hold a run, as far as that is known before anybody is counted.

        Of those that count users it is what they said at the step's last tick.
        """
        before = [Gate(name, {}, why) for name, why in self._progress.said.items() if name != "fresh"]
        return self._said([*(gate for gate in self._fresh(now) if gate.is_shut), *before])

    def _fresh(self, now: datetime) -> list[Gate]:
        sources = fresh_sources.of_loop(self._audience.plan, self._audience.settings)
        return [looking.fresh(self._audience, source, self._ask, now) for source in sources]

    def _said(self, shut: Iterable[Gate]) -> dict[GateName, str]:
        """Say what gates say that nobody lets a step pass."""
        audience, connection = self._audience, self._connection
        orders = controls.Orders((), None, None, approved=False)
        if self._has_orders:
            orders = controls.orders(connection, audience.plan.name, audience.step.ledger_name)
        return judging.said(one for one in shut if not looking.is_let_through(one, orders, self._progress.accepted))

    def _ask(self, look: Callable[[Connection], datetime | None]) -> datetime | None:
        # Nothing is written, so the transaction is not one that a read-only database refuses.
        with translated(), self._connection.engine.connect() as connection:
            return look(connection)


def is_whole(connection: Connection, table: Table) -> bool:
    """Whether a table is there with all of its columns."""
    found = inspect(connection)
    if not found.has_table(table.name):
        return False
    return {column["name"] for column in found.get_columns(table.name)} >= set(table.c.keys())
