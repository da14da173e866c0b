"""The judge: what may have been accepted, by the provider's log and by what people did, never by our own tables.

Besides, at each request, what the ledger has to say by then: it catches at once what the log needs hundreds of
histories for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from eyes import Eyes
from scheduler import Actor, Scheduler, Violation

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.ledger import LEASE, StepScope, send_id
from skene_dagster.delivery.providers.json_emails import messages_of

KEY_LIVES = timedelta(hours=24)
"""How long the provider knows a key."""

TRUSTED = timedelta(hours=23)
"""How long we take it to."""

FRESH = timedelta(minutes=5, seconds=10)
"""How old what was asked at freezing may be when an attempt begins; and what a transaction takes."""

YOUNG_TICK = timedelta(minutes=15)
"""How old a tick may be whose condition is not asked again."""

OCCURRENCES = 16


@dataclass
class Person:
    """What is true of a user, by what was committed."""

    name: str
    addresses: set[str]
    """All that were ever theirs."""
    entries: int = 1
    """How often the condition began to select them."""
    no_since: datetime | None = None
    """Since when nobody may mail them."""
    left_since: datetime | None = None
    """Since when the condition does not select them."""
    disagrees_since: datetime | None = None
    """Since when they have not agreed to be mailed about what needs it."""
    has_name: bool = True
    stopped: dict[str, datetime] = field(default_factory=dict)
    """Since when the list of suppressions has their addresses; '' stands for all that they may ever have."""

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
class Oracle:
    """The judge of one history."""

    scheduler: Scheduler
    eyes: Eyes
    scope: StepScope
    repeat: Literal["once", "every_entry"]
    on_doubt: Literal["skip", "resend"]
    needs_consent: bool = False
    """Only those may be mailed who agreed."""
    looks_inside: bool = True
    """Look at the ledger at each request."""
    people: dict[int, Person] = field(default_factory=dict)
    paused_since: datetime | None = None
    accepted: list[tuple[str, str, str]] = field(default_factory=list)
    """Send id, key, and the provider's id."""
    is_restored: bool = False
    """The ledger is that of a backup: it may not know what was accepted before."""
    _first: dict[str, tuple[datetime, bytes]] = field(default_factory=dict)
    """When the first request with a key came, and its bytes."""

    def violated(self, kind: str, details: str) -> None:
        """Tell what must never be."""
        self.scheduler.say("", f"VIOLATION: {kind}: {details}")
        raise Violation(kind, details)

    def restored(self, paused_since: datetime | None, backed_up_at: datetime) -> None:
        """The ledger is that of a backup from now on: it makes the bytes of what it never tried anew."""
        self.is_restored, self.paused_since = True, paused_since
        for person in self.people.values():
            # A "no" that came since is lost with the list.
            person.stopped = {name: since for name, since in person.stopped.items() if since <= backed_up_at}
        self._first = {key: (at, b"") for key, (at, _) in self._first.items()}

    def judge_request(self, me: Actor, batch: Frozen, key: str, at: datetime) -> None:
        """Judge a request when it arrives; `at`: when it left."""
        first, body = self._first.setdefault(key, (at, batch.body))
        if not body:
            self._first[key] = first, batch.body
        elif body != batch.body:
            raise Violation("other bytes under a key that was tried", key)
        if self.paused_since is not None and me.looked_at > self.paused_since:
            self.violated("a request after a committed pause", f"of {me.name}")
        row = self.eyes.batch(key)
        is_repeated = row.unresolved_since is not None and row.unresolved_since < row.last_attempt_at
        if not is_repeated:
            self._judge_noes(me, batch)
            cancelled_at = self.eyes.cancelled_at()
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

    def judge_accepted(self, messages: Sequence[Message], key: str, ids: Sequence[str]) -> None:
        """Judge what the provider has just accepted."""
        for message, identity in zip(messages, ids, strict=True):
            self._judge_message(message)
            self.accepted.append((message.send_id, key, identity))

    def user_of(self, identity: str) -> int | None:
        """Say whose email it is; None: nobody's."""
        found = _sends_of(self.scope).get(identity)
        return found if found in self.people else None

    def times(self, user: int) -> int:
        """Count the emails to a user that were accepted."""
        return sum(self.user_of(identity) == user for identity, _, _ in self.accepted)

    def _judge_noes(self, me: Actor, batch: Frozen) -> None:
        for message in messages_of(batch):
            user = self.user_of(message.send_id)
            if user is None:
                continue
            person = self.people[user]
            if person.no_since is not None and me.looked_at - person.no_since > FRESH:
                self.violated("mailed long after a no", f"user {user}, since {person.no_since}")
            asked = person.disagrees_since if self.needs_consent else None
            if asked is not None and me.looked_at - asked > FRESH:
                self.violated("mailed long after consent was taken back", f"user {user}, since {asked}")
            since = min((person.stopped[name] for name in ("", message.to) if name in person.stopped), default=None)
            if since is not None and me.looked_at > since:
                self.violated("a request after a committed no", f"user {user}, since {since}")
            if person.left_since is not None and me.looked_at - person.left_since > FRESH + YOUNG_TICK:
                self.violated("mailed long after they left", f"user {user}, since {person.left_since}")

    def _judge_message(self, message: Message) -> None:
        user = self.user_of(message.send_id)
        if user is None:
            raise Violation("an email of nobody", message.send_id)
        person = self.people[user]
        if message.to not in person.addresses:
            self.violated("somebody else's address", f"{message.to} for user {user}")
        if person.name not in message.text:
            self.violated("somebody else's words", f"{message.text!r} for user {user}")
        before = [other for identity, other, _ in self.accepted if identity == message.send_id]
        if self.on_doubt == "resend":
            for other in before:
                if self.scheduler.now - self._first[other][0] < TRUSTED:
                    self.violated("mailed twice within a key's life", f"user {user}")
            return
        twice = "mailed twice by a ledger from a backup" if self.is_restored else "mailed twice"
        if before:
            self.violated(twice, f"user {user}, the same send")
        elif self.repeat == "once" and self.times(user):
            self.violated(twice, f"user {user}, by two sends")
        if not before and self.times(user) >= person.entries:
            self.violated("mailed twice for one entry", f"user {user}: {self.times(user) + 1} of {person.entries}")


@lru_cache
def _sends_of(scope: StepScope) -> dict[str, int]:
    return {send_id(scope, user, number): user for user in range(1, 9) for number in range(1, OCCURRENCES)}
