"""Erase somebody: their rows of all tables, what holds an email to them, and the files of the outbox.

Each table is a transaction of its own, or several, so that whoever dies on the way has erased a part, and whoever comes
next erases the rest. It goes on until a look at all tables finds nothing: what a run that was under way has written in
the meantime is found by the next look. What has to wait is finished by `waiting`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, select, tuple_

from skene_dagster.consent import erasures, preferences
from skene_dagster.consent.erasures import Erasure
from skene_dagster.consent.spool.draining import drain as drain_spool
from skene_dagster.consent.spool.spool import Spool
from skene_dagster.consent.writing import write
from skene_dagster.delivery import ledger
from skene_dagster.delivery.ledger import SendOf
from skene_dagster.delivery.providers import registry
from skene_dagster.erasing import about_accounts, new_keys
from skene_dagster.erasing.person import BY_USER, Person
from skene_dagster.errors import StoreUnavailable
from skene_dagster.feedback import inbox
from skene_dagster.feedback.reading import drain as drain_inbox
from skene_dagster.goals.kept import forget
from skene_dagster.settings import Settings
from skene_dagster.store import staging_tables, tables
from skene_dagster.store.engine import Clock

CHUNK = 1_000
"""Rows per transaction."""

LOOKS = 10
"""The most looks at all tables: one finds what a run wrote during the look before, and hardly ever is there a third."""

_UNNAMED = (tables.sends, tables.account_sends)
"""Their rows stay, and have another key."""

READ_SECONDS = 60.0
"""For which the inbox is read: what waits there may be a "no" of theirs."""


@dataclass(frozen=True)
class Erased:
    """What was erased."""

    rows: Mapping[str, int]
    """By table; in skene_sends they stay, and have another key. Tables without any are left out."""
    emails: int
    """In the outbox folder."""
    waits_until: datetime | None
    """When nothing of them waits any more, at the latest; None: nothing does."""
    under_way: tuple[str, ...] = ()
    """Refreshes and rollups that run now: what they have read before may be written again."""


def erase(engine: Engine, settings: Settings, person: Person, clock: Clock, chunk: int = CHUNK) -> Erased:
    """Erase a person. Again, it erases what is there by then.

    Args:
        chunk: rows per transaction.

    Raises:
        SpoolError: what recipients answered waits on this machine, and cannot be read.
        StoreUnavailable: their rows are written as fast as they are erased.
        StoreError: the database refused; what was erased by then stays so.
    """
    # What they said no to is heard first: it stays.
    drain_spool(engine, Spool(settings.spool), clock)
    drain_inbox(engine, clock, seconds=READ_SECONDS)
    write(engine, lambda c: erasures.begin(c, None, person.names, clock()))
    work = _Work(engine, settings, person, clock, chunk, Counter())
    for user_id in person.users:
        work.erase_user(user_id)
    work.erase_names()
    emails = registry.erase_from_outbox(settings, [], person.addresses)
    ends = [one.ends_at for one in write(engine, erasures.read) if one.waits_for and one.recipients & person.names]
    rows = {name: n for name, n in sorted(work.rows.items()) if n}
    under_way = write(engine, lambda c: _under_way(c, clock())) if person.users else ()
    return Erased(rows, work.emails + emails, max(ends, default=None), under_way)


def _under_way(connection: Connection, now: datetime) -> tuple[str, ...]:
    found: list[str] = []
    for table, name in ((tables.segments, "segment"), (tables.rollups, "rollup")):
        runs = (table.c.owner.is_not(None), table.c.lease_until > now)
        found += connection.execute(select(table.c[name]).where(*runs).order_by(table.c[name])).scalars()
    return tuple(found)


@dataclass
class _Work:
    """One erasure, and how much of it is done."""

    engine: Engine
    settings: Settings
    person: Person
    clock: Clock
    chunk: int
    rows: "Counter[str]"
    emails: int = 0

    def erase_user(self, user_id: object) -> None:
        """Erase all rows of a user, until none is found."""
        # While it is known which emails they got, and about which accounts.
        accounts = write(self.engine, lambda c: about_accounts.accounts_of(c, self.settings, user_id, self.clock()))
        self._forget_about(accounts, ())
        for _ in range(LOOKS):
            found = self._leave_staging(user_id) + self._leave_comparisons(user_id)
            later = (*_UNNAMED, tables.contacts)
            found += sum(self._delete(table, user_id) for table in BY_USER if table not in later)
            found += self._unname_sends(user_id)
            # What others of the address have got with it stays, without their key.
            found += self._delete(tables.contacts, user_id, ledger.has_no_send())
            if not found:
                return
        raise StoreUnavailable(
            "New rows of theirs are written as fast as they are erased.", advice="Try again when no run is under way."
        )

    def erase_names(self) -> None:
        """Forget their addresses; what they said no to stays, by their hashes."""
        names, words = self.person.names, self.person.addresses
        self._forget_about((), words)
        self.rows[tables.suppressions.name] += write(self.engine, lambda c: erasures.unname(c, names, words))
        self.rows[tables.preferences.name] += write(self.engine, lambda c: preferences.unname(c, names, []))
        # What was kept for others of an address is theirs no more either.
        left = names - self.person.shared
        keys = [one.user_id for one in write(self.engine, erasures.read) if one.user_id is not None]
        self.rows[tables.contacts.name] += write(self.engine, lambda c: ledger.forget_contacts_of(c, left, keys))
        of_them = {word.lower() for word in words}
        self.rows[tables.webhooks.name] += write(self.engine, lambda c: inbox.unname(c, [], of_them))

    def _forget_about(self, accounts: Collection[object], words: Collection[str]) -> None:
        columns = (*about_accounts.KEPT, *([about_accounts.SAID] if words else ()))
        for kept in columns if accounts or words else ():
            forget = partial(about_accounts.forget_some, kept=kept, accounts=accounts, words=words, limit=self.chunk)
            forgotten = self.chunk
            while forgotten == self.chunk:
                forgotten = write(self.engine, forget)
                self.rows[str(kept.table)] += forgotten

    def _leave_staging(self, user_id: object) -> int:
        """Take a user out of what refreshes and rollups work with, and what those have left that died."""
        found = 0
        for name in write(self.engine, staging_tables.with_users):
            deleted = write(self.engine, partial(staging_tables.forget_user, name=name, user_id=user_id))
            self.rows[name] += deleted
            found += deleted
        return found

    def _leave_comparisons(self, user_id: object) -> int:
        left = write(self.engine, lambda connection: forget(connection, user_id))
        self.rows.update(left)
        return left.total()

    def _delete(self, table: Table, user_id: object, *where: ColumnElement[bool]) -> int:
        deleted, last = 0, self.chunk
        rows = (table.c.user_id == user_id, *where)
        while last == self.chunk:
            last = write(self.engine, partial(_delete_some, table=table, rows=rows, limit=self.chunk))
            deleted += last
        self.rows[table.name] += deleted
        return deleted

    def _unname_sends(self, user_id: object) -> int:
        found, mine = 0, None
        # The second way looks at what is being decided now, without reading all sends while that waits.
        for find in (ledger.sends_to, ledger.sends_in_pages):
            while some := write(self.engine, partial(find, user_id=user_id, limit=self.chunk)):
                self.rows += Counter(forget_by_send(self.engine, some))
                self.emails += registry.erase_from_outbox(self.settings, [one.send_id for one in some], [])
                if mine is None:
                    # Each look has a key of its own: who entered anew meanwhile has occurrences that are there already.
                    mine = write(self.engine, self._begin)
                now, unname = self.clock(), partial(_unname_sends, some=some, erasure=mine, person=self.person)
                write(self.engine, partial(unname, now=now))
                found += len(some)
        self.rows[tables.sends.name] += found
        return found

    def _begin(self, connection: Connection) -> Erasure:
        user_id = new_keys.draw(connection, self.settings.users)
        return erasures.begin(connection, user_id, self.person.names, self.clock())


def forget_by_send(engine: Engine, some: Sequence[SendOf]) -> dict[str, int]:
    """Forget what came of some emails, and what was said by their links; return how many rows, by table."""
    ids = [one.send_id for one in some]
    theirs = [*ids, *(one.provider_id for one in some if one.provider_id is not None)]
    return {
        tables.receipts.name: write(engine, lambda c: ledger.forget_receipts(c, ids)),
        tables.recovered.name: write(engine, lambda c: ledger.forget_recovered(c, ids)),
        tables.preferences.name: write(engine, lambda c: preferences.unname(c, [], ids)),
        tables.webhooks.name: write(engine, lambda c: inbox.unname(c, theirs, [])),
    }


def _unname_sends(
    connection: Connection, some: Sequence[SendOf], erasure: Erasure, person: Person, now: datetime
) -> None:
    # Done again after a COMMIT without an answer, it finds nothing: what was written down stays.
    ledger.keep_contacts(connection, [one.key for one in some], person.shared, user_id=erasure.user_id)
    waits = ledger.unname(connection, some, erasure.user_id, person.addresses, now)
    erasures.wait(connection, erasure.erasure_id, waits)


def _delete_some(connection: Connection, table: Table, rows: Sequence[ColumnElement[bool]], limit: int) -> int:
    key = list(table.primary_key)
    found = connection.execute(select(*key).where(*rows).order_by(*key).limit(limit)).all()
    if found:
        connection.execute(delete(table).where(tuple_(*key).in_([tuple(row) for row in found])))
    return len(found)
