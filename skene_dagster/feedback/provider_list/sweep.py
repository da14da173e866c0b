"""Read a provider's list into ours: what it sends nothing to, we do not mail.

A reading begins at the newest entry and ends at the first that the last one knew, or at the end of the list. Each page
is written in one transaction with the place behind it, so that whoever comes next goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import Connection

from skene_dagster.consent import suppressions
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.suppressions import Reason, Suppression
from skene_dagster.consent.writing import write
from skene_dagster.delivery.providers.base import Denied, Forbidden
from skene_dagster.delivery.providers.suppression_list import Listed, ListPage, Origin
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.feedback.provider_list import place as places
from skene_dagster.feedback.provider_list.lists import ProviderList, open_list
from skene_dagster.feedback.provider_list.place import Overtaken, ReadingPlace
from skene_dagster.settings.addresses import bare_address
from skene_dagster.store.engine import reading

PAGES = 2_000
"""Pages in one run; at two a second they take a quarter of an hour. The next run goes on."""

SKEW = timedelta(minutes=2)
"""How far entries of one moment may be out of order."""

REASONS: Mapping[Origin, Reason] = MappingProxyType(
    {"bounce": "bounce", "complaint": "complaint", "manual": "provider"}
)


@dataclass
class Swept:
    """What one run read of a provider's list."""

    provider: str
    entries: int = 0
    added: int = 0
    """Addresses that were not on our list."""
    unread: int = 0
    """Entries that cannot be understood, or whose address is none."""
    ended_because: str = ""
    """Why it is not read to its end; empty where it is."""
    is_news: bool = True
    """Whether that has to be said: nobody need be told twice that a key may only send."""


def sweep(session: DeliverySession, name: str) -> Swept:
    """Read what is new on the list of a provider, and put it on ours; what was lifted since stays lifted.

    Raises:
        ProviderUnavailable: it could not be read to its end; what was read is written.
        StoreError: the database refused.
    """
    listed = open_list(session, name)
    found = Swept(listed.provider)
    try:
        _Reading(session, listed, found).go_on()
    except Overtaken:
        found.ended_because = "another run is reading it"
    except Forbidden as denied:
        place = reading(session.engine, lambda c: places.read(c, listed.account))
        found.ended_because, found.is_news = f"the key may not read it ({denied})", not place.forbidden
        told = replace(place, forbidden=True)
        write(session.engine, lambda c: places.move(c, listed.account, place, told))
    except Denied as denied:
        raise ProviderUnavailable(
            f"The list of suppressions of {listed.provider} was not read to its end: {denied}.",
            advice="What was read is on ours; the next run goes on from there.",
        ) from denied
    return found


@dataclass
class _Reading:
    session: DeliverySession
    listed: ProviderList
    found: Swept
    seen: set[str] = field(default_factory=set)
    """Where pages of this run began."""
    oldest: datetime | None = None
    """So old was an entry of this run that is not the last."""

    def go_on(self) -> None:
        """Read on where the last run left off, and then what has come since.

        Raises:
            Denied, Forbidden, Overtaken: and what was read is written.
        """
        place = reading(self.session.engine, lambda c: places.read(c, self.listed.account))
        names = reading(self.session.engine, Recipients.of)
        # An entry that is gone by now is no place to go on from.
        if place.after is not None and self.listed.calls.entry(place.after) is None:
            place = self._moved(place, place.anew(), [])
        goes_on = place.after is not None
        for _ in range(PAGES):
            page = self.listed.calls.page(place.after)
            if page.last is not None and page.last in self.seen:
                self._moved(place, place.anew(), [])
                raise Denied("its pages go round in a circle")
            self.seen.add(page.last or "")
            after = self._behind(place, page)
            place = self._moved(place, after, self._entries(names, page))
            if after.after is None:
                if not goes_on:
                    return
                goes_on, self.oldest = False, None
                self.seen.clear()
        self.found.ended_because = (
            f"it has more than {PAGES * self.listed.calls.at_once:,} entries; the next run goes on"
        )

    def _behind(self, place: ReadingPlace, page: ListPage) -> ReadingPlace:
        """Say where the list is read to with this page; without `after` it is read to its end."""
        ids = [one.entry_id for one in page.entries]
        newest = place.newest or next(iter(ids), place.known)
        # No provider promises the order of its pages (2026-11). In another one than that of time, nothing is known to
        # be behind an entry that is known: the list is read to its end.
        known = place.known if self._is_in_order(page.entries) else None
        if known in ids or page.last is None:
            return ReadingPlace(newest)
        return ReadingPlace(known, newest, page.last)

    def _is_in_order(self, entries: Sequence[Listed]) -> bool:
        for one in entries:
            if one.since is None or (self.oldest is not None and one.since > self.oldest + SKEW):
                return False
            self.oldest = min(self.oldest or one.since, one.since)
        return True

    def _entries(self, names: Recipients, page: ListPage) -> list[Suppression]:
        now = self.session.clock()
        entries = []
        for one in page.entries:
            try:
                address = bare_address(one.address)
            except ValueError:
                continue
            since = min(one.since or now, now)
            reason, source = REASONS[one.origin], self.listed.provider
            entries.append(Suppression(names.checked(address), "all", since, reason, source, address))
        self.found.entries += len(page.entries) + page.unread
        self.found.unread += len(page.entries) + page.unread - len(entries)
        return entries

    def _moved(self, before: ReadingPlace, after: ReadingPlace, entries: Sequence[Suppression]) -> ReadingPlace:
        """Write what was read together with the place behind it."""

        def put(connection: Connection) -> int:
            places.move(connection, self.listed.account, before, after)
            return len(suppressions.suppress(connection, entries, self.session.clock()))

        self.found.added += write(self.session.engine, put)
        return after
