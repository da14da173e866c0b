"""A model of the provider: keys for 24 hours, records, and the faults that the history chooses. Its log is the judge's.

It is honest: the same key with the same bytes is accepted once while it remembers the key, and what it refuses it has
not accepted. What may be lost, late or denied is what it says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from oracle import KEY_LIVES, Oracle
from scheduler import Actor, Scheduler, Violation

from skene_dagster.delivery.email.message import ORIGIN_TAG, SEND_TAG, Frozen, Message
from skene_dagster.delivery.providers import json_emails
from skene_dagster.delivery.providers.base import (
    Absent,
    Accepted,
    Answer,
    Denied,
    Fatal,
    Finding,
    Found,
    RateLimit,
    Refused,
    Sent,
    SlotWait,
    Terms,
    Throttled,
    Unknown,
    Unprovable,
    at_once,
    check_call,
)
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.delivery.providers.resend.records import SKEW

PATIENCE = 30.0
"""Seconds after which the product waits no longer for an answer."""

MODES = ("well", "any fault", "nothing arrives", "answers are lost", "quota", "5xx after accepting", "429", "fatal")
FAULTS = ("", "lost before", "answer lost", "429", "quota", "500", "slow", "late", "503", "fatal")
OF_A_MODE = {"nothing arrives": 1, "answers are lost": 2, "429": 3, "quota": 4, "5xx after accepting": 5, "fatal": 9}
RECORDS = ("well", "denied", "short", "late", "stale")
NEWEST = {"late": timedelta(minutes=7), "stale": timedelta(hours=26)}
"""How old a request is before the records show it."""

LATE = (35.0, 75.0, 200.0, 366.0, 540.0)
"""How many seconds after its request something is accepted whose answer nobody waited for."""


@dataclass(frozen=True)
class Request:
    """What the provider's log keeps of a request that it has worked on."""

    at: datetime
    key: str
    batch: Frozen
    ids: tuple[str, ...]
    """Empty where it was refused."""


@dataclass
class Model:
    """The provider of one history."""

    scheduler: Scheduler
    oracle: Oracle
    name: ClassVar[str] = "the provider"
    terms: ClassVar[Terms] = Terms(
        batch_limit=100,
        key_lives=timedelta(hours=23),
        proves_after=timedelta(minutes=10),
        starts_at=2.0,
        key_is_kept=timedelta(hours=24),
    )
    account: str | None = "account"
    rate_limit: RateLimit | None = None
    mode: str = "well"
    records: str = "well"
    bad: set[str] = field(default_factory=set)
    """Addresses that it refuses."""
    log: list[Request] = field(default_factory=list)
    _keys: dict[str, Request] = field(default_factory=dict)
    _working: set[str] = field(default_factory=set)
    """Keys of which it is working on a request."""

    def freeze(self, messages: Sequence[Message]) -> Frozen:
        return json_emails.freeze(messages)

    def close(self) -> None:
        pass

    def send_batch(self, batch: Frozen, key: str) -> Answer:
        scheduler, me = self.scheduler, self.scheduler.me
        check_call(batch, key, self.terms.batch_limit)
        at = scheduler.now
        scheduler.point("POST")
        self.oracle.judge_request(me, batch, key, at)
        fault = self._fault(me)
        if fault == "lost before":
            return self._told(me, key, Unknown("no route to host"))
        if key in self._working:
            return self._told(me, key, Throttled(5.0, "409: this key is being worked on", everybody=False))
        match fault:
            case "429":
                after = (2.0, 45.0, 300.0)[scheduler.choices.pick(f"after:{me.name}", 3, 0.5)]
                return self._told(me, key, Throttled(after, "429"))
            case "quota":
                return self._told(me, key, Throttled(3600.0, "the quota is used up"))
            case "fatal":
                return self._told(me, key, Fatal("the domain is not verified"))
            case "503":
                return self._told(me, key, Unknown("503"))
            case "slow" | "late":
                answer = self._work_on(batch, key, me, fault)
            case _:
                answer = self._take(batch, key)
        scheduler.point("an answer")
        if fault == "answer lost":
            answer = Unknown(f"the connection was cut ({type(answer).__name__})")
        if fault == "500" and isinstance(answer, Accepted):
            answer = Unknown("500")
        return self._told(me, key, answer)

    def email(self, key: str, send_id: str) -> tuple[str, datetime, str | None]:
        """Say to whom an accepted email went, when it was accepted, and whose it says that it is."""
        one = next(one for one in self.log if one.key == key and one.ids)
        message = next(message for message in messages_of(one.batch) if message.send_id == send_id)
        return message.to, one.at, dict(message.tags).get(ORIGIN_TAG)

    def find(self, batch: Frozen, since: datetime, until: datetime, wait_for_slot: SlotWait = at_once) -> Finding:
        wait_for_slot(0.0)
        self.scheduler.point("the records")
        if self.records == "denied":
            return Unprovable("denied")
        shown = self._shown()
        of_it = [one for one in shown if one.batch.send_ids == batch.send_ids and one.at >= since - SKEW]
        accepted = [one for one in of_it if one.ids]
        if accepted:
            return Found(accepted[-1].ids)
        if self._reaches_back_to() > since - SKEW:
            return Unprovable("the records do not reach back to the first attempt")
        if any(one.ids and not set(batch.send_ids).isdisjoint(one.batch.send_ids) for one in shown):
            return Unprovable("the records show a part of it only")
        # Its own refusal came after all its attempts: a key that was refused is not used again.
        if of_it or any(one.at > until + SKEW for one in shown):
            return Absent()
        return Unprovable("the records show no later request")

    def sent(self, since: datetime | None, wait_for_slot: SlotWait, most: int) -> Iterator[Sent]:
        wait_for_slot(0.0)
        self.scheduler.point("the records")
        if self.records == "denied":
            raise Denied("denied")
        for one in reversed(self._shown()):
            if since is not None and one.at < since - SKEW:
                return
            for identity, message in zip(one.ids, messages_of(one.batch), strict=False):
                most -= 1
                if most < 0:
                    raise Denied("the records are too many")
                tags = dict(message.tags)
                yield Sent(identity, one.at, tags[SEND_TAG], tags.get(ORIGIN_TAG, ""))
        if since is not None and self._reaches_back_to() > since - SKEW:
            raise Denied("the records do not reach back")

    def _fault(self, me: Actor) -> str:
        if self.scheduler.is_well:
            return ""
        if self.mode == "any fault":
            return FAULTS[self.scheduler.choices.pick(f"fault:{me.name}", len(FAULTS), 0.7)]
        return FAULTS[OF_A_MODE.get(self.mode, 0)]

    def _told(self, me: Actor, key: str, answer: Answer) -> Answer:
        self.scheduler.say(me.name, f"POST {key[-6:]}: {answer}")
        return answer

    def _work_on(self, batch: Frozen, key: str, me: Actor, fault: str) -> Answer:
        """Take its time; who waits for the answer may be gone before."""
        scheduler = self.scheduler
        seconds = 25.0 if fault == "slow" else LATE[scheduler.choices.pick(f"late:{me.name}", len(LATE), 0.7)]
        answers: list[Answer] = []

        def done() -> None:
            self._working.discard(key)
            answers.append(self._take(batch, key))

        self._working.add(key)
        scheduler.at(scheduler.now + timedelta(seconds=seconds), done)
        scheduler.sleep(min(seconds, PATIENCE))
        return answers[0] if answers and seconds < PATIENCE else Unknown("timed out")

    def _take(self, batch: Frozen, key: str) -> Answer:
        now = self.scheduler.now
        known = self._keys.get(key)
        if known is not None and now - known.at < KEY_LIVES:
            if known.batch.body != batch.body:
                if self.oracle.is_restored:
                    return Unknown("409: this key was used for other emails", answered=True)
                raise Violation("other bytes under a key that was used", key)
            return Accepted(known.ids)
        messages = messages_of(batch)
        bad = next((n for n, message in enumerate(messages) if message.to in self.bad), None)
        if bad is not None:
            self.log.append(Request(now, key, batch, ()))
            return Refused("422: invalid address", bad if self.scheduler.choices.yes("named", 0.3) else None)
        taken = Request(now, key, batch, tuple(f"id-{len(self.log)}-{n}" for n in range(len(messages))))
        self.log.append(taken)
        self._keys[key] = taken
        self.scheduler.say("", f"accepted under {key[-6:]}: {', '.join(message.to for message in messages)}")
        self.oracle.judge_accepted(messages, key, taken.ids)
        return Accepted(taken.ids)

    def _shown(self) -> list[Request]:
        """List what its records show now, the oldest first."""
        newest = self.scheduler.now - NEWEST.get(self.records, timedelta(0))
        return [one for one in self.log if self._reaches_back_to() <= one.at <= newest]

    def _reaches_back_to(self) -> datetime:
        return self.scheduler.now - timedelta(hours=30) if self.records == "short" else datetime(2026, 1, 1)
