"""To whom the emails of a page would go: by which clock they live, and what their addresses get of all loops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide.arbiter.arbiter import Arbiter
from skene_dagster.delivery.decide.arbiter.budget import Budget
from skene_dagster.delivery.decide.caps import full
from skene_dagster.delivery.decide.eligibility import NOBODY, Addressee, Decision, Defer, HoldOut, Mail
from skene_dagster.delivery.decide.facts import Person
from skene_dagster.delivery.decide.slices import Slices
from skene_dagster.delivery.ledger import StepScope
from skene_dagster.delivery.model import NEXT_TICK, Contact, Waiting
from skene_dagster.goals.arms import Enrolled
from skene_dagster.goals.comparing import Comparing
from skene_dagster.goals.reaching import last_reached
from skene_dagster.loops.plan import Email
from skene_dagster.loops.times.hours import ANY_HOUR, Hours, leaves_at
from skene_dagster.loops.times.hours import not_before as first_allowed
from skene_dagster.loops.times.zones import fault_of_timezone
from skene_dagster.loops.triggers import After
from skene_dagster.loops.variants import variants_of
from skene_dagster.settings import Cap, Settings
from skene_dagster.store.keys import folded

if TYPE_CHECKING:
    from skene_dagster.delivery.decide.candidates import Candidate
    from skene_dagster.delivery.decide.send_audience import SendAudience


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    return None if fault_of_timezone(name) else ZoneInfo(name)


def zone_of(person: Person, settings: Settings, zone: ZoneInfo) -> ZoneInfo:
    """Return the time zone of a user, or another one where the product knows none of theirs, or none that there is."""
    column = settings.users.timezone
    name = person.columns.get(column) if column is not None else None
    return (_zone(name) if isinstance(name, str) and name else None) or zone


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
    budget: Budget | None = None
    """What they share with all others who are mailed on a day; None: nothing limits it."""
    comparing: Comparing | None = None
    """Who of them gets none of it, to be compared with; None: nobody, for nothing is measured."""
    reached: Mapping[object, datetime] = field(default_factory=dict)
    """When users last reached the loop's goal."""
    left: Mapping[object, datetime] = field(default_factory=dict)
    """Users whom a loop of higher priority wants, too, and from when on they are asked about again."""
    _hours: dict[ZoneInfo, datetime | None] = field(default_factory=dict)
    """From when on an email may leave, by time zone, of which a page has few."""

    def of(
        self, person: Person | None, waiting: Waiting | None = None, entered_at: datetime | None = None
    ) -> Addressee:
        """Say what is to be decided about a user; `None`: there is none.

        Args:
            waiting: they were deferred.
            entered_at: since when they, or the row, are inside; None: the goal is not asked about.
        """
        if person is None:
            return NOBODY
        not_before = self._not_before(person)
        name = person.recipient if self.is_counted else None
        known = self.contacts.get(name, []) if name is not None else []
        return Addressee(
            person.address,
            person.mailable,
            person.refusal,
            has_reached_goal=entered_at is not None and self._reached_after(person, entered_at),
            shares_address=not self.by_row and any(self._is_another_s(one, person) for one in known),
            full=full(self.caps, known, not_before or self.now) if known else None,
            waits_for_room=self._waits_for_room(not_before or self.now),
            left_until=self._left_until(person, waiting, not_before or self.now),
            held_out=None if self.comparing is None else self.comparing.holds_out(self.key(person)),
            not_before=not_before,
        )

    def _reached_after(self, person: Person, entered_at: datetime) -> bool:
        at = self.reached.get(self.key(person)) if self.reached else None
        return at is not None and at > entered_at

    def _left_until(self, person: Person, waiting: Waiting | None, planned: datetime) -> datetime | None:
        left = self.left.get(self.key(person)) if self.left else None
        # A place is left to others once, and what had its own is not asked to leave it.
        was_left = waiting is not None and waiting.outranked_at is not None
        return left if left is not None and not was_left and self._is_last_place(person, planned) else None

    def _is_last_place(self, person: Person, planned: datetime) -> bool:
        known = self.contacts.get(person.recipient or "", [])
        this = Contact(self.scope.loop, self.scope.step, None, self.as_of, None)
        return full(self.caps, [*known, this], planned) is not None

    def _waits_for_room(self, planned: datetime) -> datetime | None:
        if self.budget is None:
            return None
        if self.budget.is_gathering:
            return self.as_of
        return self.as_of + NEXT_TICK if self.budget.is_full(planned.date()) else None

    def _not_before(self, person: Person) -> datetime | None:
        """Say from when on an email may leave; None: at once. By each clock, the slices begin when its hours do."""
        zone = zone_of(person, self.settings, self.zone)
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
        if (
            isinstance(decision, Defer)
            and decision.reason == "budget"
            and self.budget is not None
            and person is not None
        ):
            self.budget.refuse((self._not_before(person) or self.now).date())
        if person is None or not self.is_counted:
            return None
        if isinstance(decision, HoldOut) and person.recipient is not None:
            self._know(person.recipient, person, is_held_out=True)
            return person.recipient
        if not isinstance(decision, Mail):
            return None
        if self.budget is not None:
            self.budget.take((decision.not_before or self.now).date())
        name = person.recipient
        if name is None:
            return None
        self._know(name, person)
        if self.slices is not None:
            self.slices.decided += 1
        return name

    def _know(self, recipient: str, person: Person, *, is_held_out: bool = False) -> None:
        this = Contact(self.scope.loop, self.scope.step, self.key(person), self.as_of, None, is_held_out=is_held_out)
        self.contacts.setdefault(recipient, []).append(this)

    def enrol(self, person: Person | None, decision: Decision) -> Sequence[Enrolled]:
        """Say in which comparisons somebody is from now on, about whom was just decided."""
        if self.comparing is None or person is None:
            return ()
        match decision:
            case Mail():
                return self.comparing.enrol(self.key(person), None)
            case HoldOut(of=of):
                return self.comparing.enrol(self.key(person), of)
            case _:
                return ()

    def key(self, person: Person) -> object:
        """Return the key of a user, as the users table spells it."""
        return person.columns[self.settings.users.key]

    def _is_another_s(self, one: Contact, person: Person) -> bool:
        """Whether it is this very email of this tick, to another user."""
        is_this = (one.loop, one.step, one.as_of) == (self.scope.loop, self.scope.step, self.as_of)
        # To a collation two spellings may be one key.
        return is_this and folded(one.user_id) != folded(self.key(person))

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
        arbiter: Arbiter,
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
        found = Addressees(
            scope, as_of, at, settings, zone, hours, caps, is_counted=is_counted, by_row=by_row, budget=arbiter.budget
        )
        if found.is_counted:
            if alone and (caps or found.budget is not None):
                ledger.lock(connection, ledger.all_loops(scope.mode))
                if found.budget is not None:
                    found.budget.look(connection, at)
            recipients = [name for one in people.values() if (name := one.recipient) is not None]
            since = min(at, now) - max((cap.within for cap in caps), default=now - now)
            found.contacts = ledger.contacts_of(connection, scope, recipients, as_of=as_of, since=since)
            if is_simulated:
                # All that is simulated is accepted within minutes.
                for name, known in found.contacts.items():
                    found.contacts[name] = [replace(one, at=one.at and one.as_of) for one in known]
            if arbiter.rivals is not None:
                asked = [one for one in people.values() if found._is_last_place(one, at)]
                found.left = arbiter.rivals.wanting(connection, [one.columns[settings.users.key] for one in asked])
        return found


def is_compared(audience: "SendAudience") -> bool:
    """Whether anybody is held out of an email.

    Nobody is of one that they asked for; and of one that follows another, its first one has decided.
    """
    is_after = isinstance(audience.step.trigger, After)
    return audience.email.topic is not None and not is_after and audience.has_arms


def comparing_of(
    audience: "SendAudience", connection: Connection, people: Mapping[object, Person], *, in_order: bool = False
) -> Comparing | None:
    """Read in which arms the users of a page are; None: nothing is compared."""
    if not is_compared(audience):
        return None
    return Comparing.read(
        connection,
        audience.mode.name,
        audience.plan.name,
        share=audience.plan.holdout,
        share_of_all=audience.settings.holdout,
        variants=variants_of(audience.plan),
        # As the users table spells them: for that the coin is tossed.
        keys=[one.columns[audience.settings.users.key] for one in people.values()],
        in_order=in_order,
    )


def reached_of(
    audience: "SendAudience",
    connection: Connection,
    page: Sequence["Candidate"],
    people: Mapping[object, Person],
    users: Mapping[object, Sequence[object]] | None = None,
) -> dict[object, datetime]:
    """Say when those of a page last reached the loop's goal who have not entered at this very tick.

    Args:
        users: those of each account, where the page is of accounts.
    """
    earlier = [one.user_id for one in page if one.entered_at is not None and one.entered_at < audience.as_of]
    asked = earlier if users is None else [user for account in earlier for user in users.get(account, ())]
    keys = [people[key].columns[audience.settings.users.key] for key in dict.fromkeys(asked) if key in people]
    return last_reached(connection, audience.plan, audience.settings, keys, as_of=audience.as_of)
