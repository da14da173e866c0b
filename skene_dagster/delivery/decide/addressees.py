"""To whom the emails of a page would go: by which clock they live, and what their addresses get of all loops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.caps import full
from skene_dagster.delivery.decide.eligibility import NOBODY, Addressee, Decision, Mail
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.model import Contact
from skene_dagster.loops.plan import Email
from skene_dagster.loops.times.hours import ANY_HOUR, Hours, leaves_at
from skene_dagster.loops.times.hours import not_before as first_allowed
from skene_dagster.loops.times.zones import fault_of_timezone
from skene_dagster.settings import Cap, Settings
from skene_dagster.store.keys import as_text


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    return None if fault_of_timezone(name) else ZoneInfo(name)


def zone_of(person: Person, settings: Settings, zone: ZoneInfo) -> ZoneInfo:
    """Return the time zone of a user, or another one where the product knows none of theirs, or none that there is."""
    column = settings.users.timezone
    name = person.columns.get(column) if column is not None else None
    return (_zone(name) if isinstance(name, str) and name else None) or zone


def _plain(user_id: object) -> str:
    return as_text(user_id).rstrip().casefold()


@dataclass
class Addressees:
    """The users of a page, as decisions see them. What is decided of one counts for those who come after."""

    scope: StepScope
    as_of: datetime
    now: datetime
    settings: Settings
    zone: ZoneInfo
    """Of users whose zone is not known."""
    hours: Hours
    caps: Sequence[Cap]
    contacts: dict[str, list[Contact]] = field(default_factory=dict)
    """By recipient."""
    is_counted: bool = True
    """Whether emails to one address are counted; those that it asked for are not."""
    by_row: bool = False
    slices: Slices | None = None
    """In which the wave leaves; None: at once."""
    _hours: dict[ZoneInfo, datetime | None] = field(default_factory=dict)
    """From when on an email may leave, by time zone, of which a page has few."""

    def of(self, person: Person | None) -> Addressee:
        """Say what is to be decided about a user; `None`: there is none."""
        if person is None:
            return NOBODY
        not_before = self._not_before(zone_of(person, self.settings, self.zone))
        known = self.contacts.get(person.recipient or "", []) if self.is_counted else []
        return Addressee(
            person.address,
            person.mailable,
            person.refusal,
            shares_address=not self.by_row and any(self._is_another_s(one, person) for one in known),
            full=full(self.caps, known, not_before or self.now) if known else None,
            not_before=not_before,
        )

    def _not_before(self, zone: ZoneInfo) -> datetime | None:
        """Say from when on an email may leave; None: at once. By each clock, the slices begin when its hours do."""
        if zone not in self._hours:
            self._hours[zone] = leaves_at(self.as_of, self.now, zone, self.hours)
        hour = self._hours[zone]
        if self.slices is None or not self.slices.wait:
            return hour
        quiet, wait = Hours(self.hours.quiet), self.slices.wait
        planned = (hour or self.slices.begins) + wait
        allowed = first_allowed(planned, zone, quiet)
        if allowed > planned:
            # Else all that fall into the same quiet hours would leave together at their end.
            allowed = first_allowed(allowed + wait, zone, quiet)
        return allowed if allowed > self.now else None

    def count(self, person: Person | None, decision: Decision) -> str | None:
        """Count an email that was just decided; return to which recipient, None where there is nothing to count."""
        if not isinstance(decision, Mail) or person is None or person.recipient is None or not self.is_counted:
            return None
        user_id = person.columns[self.settings.users.key]
        contact = Contact(self.scope.loop, self.scope.step, user_id, self.as_of, None)
        self.contacts.setdefault(person.recipient, []).append(contact)
        if self.slices is not None:
            self.slices.decided += 1
        return person.recipient

    def _is_another_s(self, one: Contact, person: Person) -> bool:
        """Whether it is this very email of this tick, to another user."""
        is_this = (one.loop, one.step, one.as_of) == (self.scope.loop, self.scope.step, self.as_of)
        # To a collation two spellings may be one key.
        return is_this and _plain(one.user_id) != _plain(person.columns[self.settings.users.key])

    @staticmethod
    def read(  # noqa: PLR0913 - what a page is about, each by its name
        connection: Connection,
        people: Mapping[object, Person],
        *,
        scope: StepScope,
        email: Email,
        settings: Settings,
        zone: ZoneInfo,
        as_of: datetime,
        now: datetime,
        by_row: bool,
        is_simulated: bool,
        alone: bool,
    ) -> "Addressees":
        """Read what the recipients of some users get.

        Args:
            is_simulated: it is another time than it says: caps count by ticks, and nobody's clock is looked at.
            alone: until this transaction ends, no other page of any loop reads or writes what counts for a cap.
        """
        hours = ANY_HOUR if is_simulated else email.hours
        caps = settings.limits.caps
        at = as_of if is_simulated else now
        is_counted = email.topic is not None
        found = Addressees(scope, as_of, at, settings, zone, hours, caps, is_counted=is_counted, by_row=by_row)
        if found.is_counted:
            if caps and alone:
                ledger.lock(connection, ledger.all_loops(scope.mode))
            recipients = [one.recipient for one in people.values() if one.recipient is not None]
            since = min(at, now) - max((cap.within for cap in caps), default=now - now)
            found.contacts = ledger.contacts_of(connection, scope, recipients, as_of=as_of, since=since)
            if is_simulated:
                # All that is simulated is accepted within minutes.
                for name, known in found.contacts.items():
                    found.contacts[name] = [replace(one, at=one.at and one.as_of) for one in known]
        return found
