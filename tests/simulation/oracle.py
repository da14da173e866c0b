"""The judge: what may have been accepted, by the provider's log and by what people did, never by our own tables.

Besides, at each request, what the ledger has to say by then: it catches at once what the log needs hundreds of
histories for.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from comparing import Comparing
from eyes import Eyes
from manners import FRESH, Manners
from scheduler import START, Actor, Scheduler, Violation
from sharing import Sharing
from sqlalchemy import Row

from skene_dagster.delivery.controls import EVERY
from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.ledger import LEASE, StepScope, send_id
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.loops.field_types import Recipient

KEY_LIVES = timedelta(hours=24)
"""How long the provider knows a key."""

TRUSTED = timedelta(hours=23)
"""How long we take it to."""

HEARD = timedelta(seconds=21)
"""How long before a request the files may have been looked at in which a "no" waits for the database."""

YOUNG_TICK = timedelta(minutes=15)
"""How old a tick may be whose condition is not asked again."""

LATELY = timedelta(days=6)
"""What came back of an email is held against its loop for so long at least."""

OCCURRENCES = 16

ACCOUNTS = (1, 2, 3)
"""In each of which there are up to three users when a history begins."""

OnDoubt = Literal["skip", "resend"]
Repeat = Literal["once", "every_entry"]


@dataclass
class Person:
    """What is true of a user, by what was committed."""

    name: str
    address: str
    """Theirs now."""
    addresses: set[str] = field(default_factory=set)
    """All that were ever theirs."""
    zones: list[tuple[datetime, str | None]] = field(default_factory=list)
    """The names of their time zones, and since when."""
    entries: int = 1
    """How often the condition began to select them."""
    no_since: datetime | None = None
    """Since when nobody may mail them."""
    left_since: datetime | None = None
    """Since when the condition does not select them."""
    disagrees_since: datetime | None = None
    """Since when they have not agreed to be mailed about what needs it."""
    has_name: bool = True
    is_gone: bool = False
    """The product has deleted them."""
    account: int = 1
    joined_at: datetime = datetime.min  # noqa: DTZ901 - UTC, without a zone
    """When they became one of the account."""
    stopped: dict[str, datetime] = field(default_factory=dict)
    """Since when the list of suppressions has them, by topic; '' stands for all topics."""

    spooled: dict[str, datetime] = field(default_factory=dict)
    """The same, where it waits in a file or waited there."""

    def __post_init__(self) -> None:
        self.addresses.add(self.address)

    def moves(self, address: str) -> None:
        self.address = address
        self.addresses.add(address)

    def enters(self) -> None:
        # What is changed again, since nobody knows whether it was, may have been so already.
        self.entries += self.left_since is not None
        self.left_since = None

    def leaves(self, now: datetime) -> None:
        self.left_since = now

    def says_no(self, now: datetime) -> None:
        self.no_since = now

    def says_yes(self) -> None:
        self.no_since = None

    def disagrees(self, now: datetime) -> None:
        self.disagrees_since = now

    def agrees(self) -> None:
        self.disagrees_since = None


@dataclass
class Account:
    """What is true of an account, by what was committed."""

    title: str
    owner: int
    owned_since: datetime = datetime.min  # noqa: DTZ901 - UTC, without a zone
    entries: int = 1
    left_since: datetime | None = None
    stopped_since: datetime | None = None
    """Since when the list of suppressions has it."""


@dataclass(frozen=True)
class Loop:
    """What a loop's author said, whose step this is."""

    scope: StepScope
    topic: str
    """Empty: its emails were asked for."""
    repeat: Repeat
    on_doubt: OnDoubt
    recipient: Recipient | None = None
    """Who of an account is mailed; None: the loop is about users."""

    @property
    def is_asked_for(self) -> bool:
        """Whether its emails were asked for: they have no topic."""
        return not self.topic

    @property
    def needs_consent(self) -> bool:
        """Whether only those may be mailed who agreed."""
        return self.topic == "tips"


@dataclass(frozen=True)
class Whose:
    """Whose an email is, and by which loop."""

    loop: Loop
    user: int
    account: int | None = None
    """Which it is about, and for which of its occurrences."""
    occurrence: int = 0


@dataclass(frozen=True)
class Complaint:
    """Somebody says that they did not want an email."""

    send_id: str
    address: str
    loop: str
    accepted_at: datetime
    told_at: datetime


@dataclass
class Oracle:
    """The judge of one history."""

    scheduler: Scheduler
    eyes: Eyes
    loops: dict[str, Loop]
    """By name."""
    manners: Manners
    sharing: Sharing
    comparing: Comparing
    looks_inside: bool = True
    """Look at the ledger at each request."""
    people: dict[int, Person] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    stopped: dict[str, datetime] = field(default_factory=dict)
    """Since when the list of suppressions has an address, in small letters."""
    paused_since: dict[str, datetime] = field(default_factory=dict)
    """By loop; EVERY: all of them."""
    resumed_at: dict[str, datetime] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)
    """In the inbox, or read."""
    accepted: list[tuple[str, str, str]] = field(default_factory=list)
    """Send id, key, and the provider's id."""
    erased: dict[int, datetime] = field(default_factory=dict)
    """Who was erased, and when that was done."""
    is_restored: bool = False
    """The ledger is that of a backup: it may not know what was accepted before."""
    _first: dict[str, tuple[datetime, bytes]] = field(default_factory=dict)
    """When the first request with a key came, and its bytes."""

    def violated(self, kind: str, details: str) -> None:
        """Tell what must never be."""
        self.scheduler.say("", f"VIOLATION: {kind}: {details}")
        raise Violation(kind, details)

    def restored(self, paused_since: dict[str, datetime], backed_up_at: datetime) -> None:
        """The ledger is that of a backup from now on: it makes the bytes of what it never tried anew."""
        self.is_restored, self.paused_since = True, paused_since
        # A "no" that came since is lost with the list.
        self.stopped = {name: since for name, since in self.stopped.items() if since <= backed_up_at}
        for account in self.accounts.values():
            since = account.stopped_since
            account.stopped_since = since if since is not None and since <= backed_up_at else None
        for person in self.people.values():
            person.stopped = {name: since for name, since in person.stopped.items() if since <= backed_up_at}
            person.spooled = {}
        self.resumed_at = {name: at for name, at in self.resumed_at.items() if at <= backed_up_at}
        self.complaints = [one for one in self.complaints if one.told_at <= backed_up_at]
        self._first = {key: (at, b"") for key, (at, _) in self._first.items()}

    def judge_request(self, me: Actor, batch: Frozen, key: str, at: datetime) -> None:
        """Judge a request when it arrives; `at`: when it left."""
        first, body = self._first.setdefault(key, (at, batch.body))
        if not body:
            self._first[key] = first, batch.body
        elif body != batch.body:
            raise Violation("other bytes under a key that was tried", key)
        row = self.eyes.batch(key)
        paused = (self.paused_since.get(name) for name in (row.loop, EVERY))
        if any(since is not None and me.looked_at > since for since in paused):
            self.violated("a request after a committed pause", f"of {me.name}")
        messages = messages_of(batch)
        self.manners.noted(key, row.as_of)
        self.sharing.noted(key, row)
        is_repeated = row.unresolved_since is not None and row.unresolved_since < row.last_attempt_at
        if not is_repeated:
            self._judge_noes(me, self.loops[row.loop], messages, at)
            self._judge_hours(me, row, messages)
            cancelled_at = self.eyes.cancelled_at(row.loop)
            if cancelled_at is not None and min(row.reserved_at, row.as_of) <= cancelled_at < me.looked_at:
                self.violated("a request after a cancel", f"of {me.name}")
        if not self.looks_inside:
            return
        if row.state == "frozen" and row.unresolved_since is None:
            self.violated("a request of which the ledger does not know", key)
        if row.state == "frozen" and at - row.unresolved_since >= KEY_LIVES:
            self.violated("a request past its key's life", f"{key}: {row.unresolved_since}")
        if row.last_attempt_at is None or at - row.last_attempt_at > LEASE:
            self.violated("a request outside of the lease", f"{key}: {row.last_attempt_at}")

    def breaks(self, complained: Collection[str], now: datetime) -> set[str]:
        """Say what is to be paused for what came back: one complaint of fewer than sixty emails is too many.

        Complaints about emails that people asked for pause nothing.

        Args:
            complained: the sends of which the ledger knows that somebody complained.
        """
        found = set()
        for one in self.complaints:
            is_recent = one.send_id in complained and now - one.accepted_at < LATELY
            if is_recent and not self.loops[one.loop].is_asked_for:
                found |= {name for name in (one.loop, EVERY) if one.accepted_at > self.resumed_at.get(name, START)}
        return found

    def judge_accepted(self, messages: Sequence[Message], key: str, ids: Sequence[str]) -> None:
        """Judge what the provider has just accepted."""
        for message, identity in zip(messages, ids, strict=True):
            whose = self._judge_message(message)
            if not self.is_restored:
                self.sharing.judge_accepted(message.send_id, key, self.violated)
            if not self.is_restored and not self.people[whose.user].is_gone:
                about = (whose.loop.scope.loop, whose.user, whose.account)
                self.comparing.judge_accepted(*about, message.text, self.violated)
            if not self.is_restored and not whose.loop.is_asked_for:
                is_about = whose.account is not None
                mine = (whose.loop.scope, whose.user, message, key, self.violated)
                gone = {user for user, person in self.people.items() if person.is_gone}
                self.manners.judge_accepted(*mine, about_account=is_about, gone=gone)
            self.accepted.append((message.send_id, key, identity))

    def whose(self, identity: str) -> Whose | None:
        """Say whose email it is; None: nobody's."""
        for loop in self.loops.values():
            if loop.recipient is None:
                user = _sends_of(loop.scope).get(identity)
                if user in self.people:
                    return Whose(loop, user)
            elif identity in (found := _sends_about(loop.scope)):
                return Whose(loop, *found[identity])
        return None

    def sends(self) -> Iterator[tuple[str, Whose]]:
        """List the ids that sends may have, and whose each is."""
        for loop in self.loops.values():
            if loop.recipient is None:
                yield from ((identity, Whose(loop, user)) for identity, user in _sends_of(loop.scope).items())
            else:
                yield from ((identity, Whose(loop, *found)) for identity, found in _sends_about(loop.scope).items())

    def times(self, whose: Whose) -> int:
        """Count the emails of a loop to a user that were accepted."""
        return sum(self.whose(identity) == whose for identity, _, _ in self.accepted)

    def _judge_noes(self, me: Actor, loop: Loop, messages: Sequence[Message], at: datetime) -> None:
        for message in messages:
            whose = self.whose(message.send_id)
            if whose is None:
                continue
            user, person = whose.user, self.people[whose.user]
            if person.no_since is not None and me.looked_at - person.no_since > FRESH:
                self.violated("mailed long after a no", f"user {user}, since {person.no_since}")
            asked = person.disagrees_since if loop.needs_consent else None
            is_marketing = not loop.is_asked_for
            if user in self.erased and me.looked_at > self.erased[user] and not self.is_restored:
                self.violated("an erased person is mailed", f"user {user}, erased at {self.erased[user]}")
            if asked is not None and me.looked_at - asked > FRESH:
                self.violated("mailed long after consent was taken back", f"user {user}, since {asked}")
            said_no = (person.stopped.get(""), person.stopped.get(loop.topic)) if is_marketing else ()
            noes = (*said_no, self.stopped.get(message.to.lower()))
            since = min((one for one in noes if one is not None), default=None)
            if since is not None and me.looked_at > since:
                self.violated("a request after a committed no", f"user {user}, since {since}")
            waits = (person.spooled.get(""), person.spooled.get(loop.topic)) if is_marketing else ()
            since = min((one for one in waits if one is not None), default=None)
            if since is not None and at - since > HEARD:
                self.violated("a request after a no that waits in a file", f"user {user}, since {since}")
            left_since = person.left_since
            if whose.account is not None:
                self._judge_belonging(me, whose)
                left_since = self.accounts[whose.account].left_since
            if left_since is not None and me.looked_at - left_since > FRESH + YOUNG_TICK:
                self.violated("mailed long after they left", f"user {user}, since {left_since}")

    def _judge_belonging(self, me: Actor, whose: Whose) -> None:
        """Whoever is mailed about an account is its owner still, or one of it; and nobody has said no for it."""
        assert whose.account is not None
        account, person = self.accounts[whose.account], self.people[whose.user]
        if whose.loop.recipient == "owner":
            belongs, since = account.owner == whose.user, account.owned_since
        else:
            belongs, since = person.account == whose.account, person.joined_at
        if not belongs and me.looked_at - since > FRESH:
            self.violated("mailed about an account that is another's", f"user {whose.user}, since {since}")
        if account.stopped_since is not None and me.looked_at > account.stopped_since:
            self.violated("a request after a committed no", f"account {whose.account}, since {account.stopped_since}")

    def _judge_hours(self, me: Actor, row: Row[Any], messages: Sequence[Message]) -> None:
        if not self.manners.has_hours or self.loops[row.loop].is_asked_for:
            return
        for message in messages:
            whose = self.whose(message.send_id)
            if whose is not None:
                zones = self.people[whose.user].zones
                self.manners.judge_hours(zones, row.as_of, me.looked_at, f"user {whose.user}", self.violated)

    def _judge_message(self, message: Message) -> Whose:
        whose = self.whose(message.send_id)
        if whose is None:
            raise Violation("an email of nobody", message.send_id)
        loop, user, person = whose.loop, whose.user, self.people[whose.user]
        if message.to not in person.addresses:
            self.violated("somebody else's address", f"{message.to} for user {user}")
        if person.name not in message.text:
            self.violated("somebody else's words", f"{message.text!r} for user {user}")
        if whose.account is not None:
            self._judge_about(whose, message)
            return whose
        before = [other for identity, other, _ in self.accepted if identity == message.send_id]
        if loop.on_doubt == "resend":
            for other in before:
                if self.scheduler.now - self._first[other][0] < TRUSTED:
                    self.violated("mailed twice within a key's life", f"user {user}")
            return whose
        twice = "mailed twice by a ledger from a backup" if self.is_restored else "mailed twice"
        times = self.times(whose)
        if before:
            self.violated(twice, f"user {user}, the same send")
        elif loop.repeat == "once" and times:
            self.violated(twice, f"user {user}, by two sends")
        if not before and times >= person.entries:
            self.violated("mailed twice for one entry", f"user {user}: {times + 1} of {person.entries}")
        return whose

    def _judge_about(self, whose: Whose, message: Message) -> None:
        """One email about an account for each of its entries; or one to everybody of it."""
        assert whose.account is not None
        account = self.accounts[whose.account]
        if account.title not in message.text:
            self.violated("the words of another account", f"{message.text!r} for account {whose.account}")
        if any(identity == message.send_id for identity, _, _ in self.accepted):
            twice = "mailed twice by a ledger from a backup" if self.is_restored else "mailed twice"
            self.violated(twice, f"user {whose.user} about account {whose.account}, the same send")
        if self.is_restored:
            return
        found = (self.whose(identity) for identity, _, _ in self.accepted)
        about = [one for one in found if one and (one.loop, one.account) == (whose.loop, whose.account)]
        if whose.loop.recipient == "owner" and any(one.occurrence == whose.occurrence for one in about):
            self.violated("two are mailed for one entry of an account", f"account {whose.account}, user {whose.user}")
        if (times := len({whose.occurrence, *(one.occurrence for one in about)})) > account.entries:
            self.violated("mailed twice for one entry of an account", f"{times} of {account.entries}")
        self.manners.judge_about(whose.account, whose.occurrence, self.violated)


@lru_cache
def _sends_about(scope: StepScope) -> dict[str, tuple[int, int, int]]:
    """Say whose each send about an account is: the user, the account and its occurrence."""
    return {
        send_id(scope, user, f"{number}@{hashlib.sha256(str(account).encode()).hexdigest()[:32]}"): (
            user,
            account,
            number,
        )
        for user in range(1, 9)
        for account in ACCOUNTS
        for number in range(1, OCCURRENCES)
    }


@lru_cache
def _sends_of(scope: StepScope) -> dict[str, int]:
    return {send_id(scope, user, number): user for user in range(1, 9) for number in range(1, OCCURRENCES)}
