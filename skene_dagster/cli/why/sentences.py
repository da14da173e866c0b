"""What is known about a user, in sentences for people; the words of reasons are in cli/words.py."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from skene_dagster.cli.why.layout import clean, day, moment, short
from skene_dagster.cli.words import BOUNCES, LEFT_BECAUSE, SUPPRESSED_BECAUSE, Known, reason_of_one
from skene_dagster.durations import duration_in_words
from skene_dagster.explain.model import AddressHealth, CapRoom, Coming, Explained, Happened, Outside, Person, TopicState
from skene_dagster.loops.plan import LoopPlan, StepPlan
from skene_dagster.loops.times.zones import fault_of_timezone
from skene_dagster.settings import Settings
from skene_dagster.wording import how_many

_VALUE = 30
"""Cells of a value of the users table."""


@dataclass(frozen=True)
class Speaker:
    """Says it, with what the project knows: titles of topics, how often a loop mails."""

    settings: Settings
    steps: Mapping[tuple[str, str], tuple[LoopPlan, StepPlan]]
    """By loop and step, as they are shown."""
    caps: Sequence[CapRoom]
    now: datetime

    def reason(self, reason: str, loop: str, step: str) -> str:
        """Say a reason of the ledger's, about this user and this step."""
        found = self.steps.get((loop, step))
        email = None if found is None else found[1].email
        topic = None if email is None else email.topic
        about = None if topic is None else self.settings.topics.get(topic)
        cap = next((one for one in self.caps if one.full), self.caps[0] if self.caps else None)
        known = Known(
            loop=loop,
            topic=topic if about is None else about.title or topic,
            repeat=duration_in_words(email.repeat)
            if email is not None and isinstance(email.repeat, timedelta)
            else None,
            cap=None if cap is None else f"{how_many(cap.count, 'mail')} in {duration_in_words(cap.within)}",
            expires_after=duration_in_words(self.settings.limits.expires_after),
        )
        return reason_of_one(reason, known)

    def at(self, at: datetime) -> str:
        """Write a moment."""
        return moment(at, self.now)

    def who(self, person: Person, masked: str) -> list[str]:
        """Name the user."""
        named = None if person.name is None else shortened(person.name)
        return [one for one in (named, f"user {short(person.user, 40)}", masked) if one]

    def state(self, person: Person) -> list[str]:
        """Say how they are: their level, when they were active last, what time it is there."""
        said = []
        if person.level is not None and person.level_since is not None:
            said.append(f"{person.level} since {day(person.level_since, self.now)}")
        if person.last_active_at is not None:
            said.append(f"last active {self.at(person.last_active_at)}")
        if person.timezone and not fault_of_timezone(person.timezone):
            there = self.now.replace(tzinfo=timezone.utc).astimezone(ZoneInfo(person.timezone))
            said.append(f"{person.timezone}, {there:%H:%M} there")
        return said

    def verdict(self, found: Explained) -> str:
        """Say whether they may be mailed at all."""
        off = [one.topic for one in found.topics if one.refusal is not None]
        if not found.person.mailable:
            return "no: users.mailable in skene.yaml leaves them out"
        if found.address.state == "suppressed":
            return f"no: {SUPPRESSED_BECAUSE[found.address.reason or '']}"
        if found.address.state in _NO_WAY:
            return f"no: {_NO_WAY[found.address.state]}"
        if not found.may_be_mailed:
            return "no: they want none of the topics"
        return f"yes, but not about {', '.join(off)}" if off else "yes"

    def topic(self, one: TopicState) -> str:
        """Say whether they get a topic, since when, and who says so."""
        since = "" if one.since is None else f" since {self.at(one.since)}"
        whence = [text for text in (one.source, None if one.loop is None else f"in a mail of {one.loop}") if text]
        said = f"{since}: {', '.join(whence)}" if whence else since
        if one.refusal is None:
            return f"on{said}"
        if one.refusal == "no_consent":
            return "OFF: it waits for a yes, and they never said it"
        if one.refusal == "suppressed":
            return "OFF, as all email is"
        return f"OFF{since}, as all marketing{said.removeprefix(since)}" if one.scope == "marketing" else f"OFF{said}"

    def address(self, one: AddressHealth) -> str:
        """Say whether their address works."""
        since = "" if one.since is None else f" since {self.at(one.since)}"
        match one.state:
            case "suppressed":
                return f"nothing may reach it{since}: {SUPPRESSED_BECAUSE[one.reason or '']} ({one.source})"
            case "bounced":
                codes = f" ({one.source})" if one.source else ""
                return f"the last email{since.replace(' since', ' of')} {BOUNCES[one.reason or 'soft']}{codes}"
            case "works":
                return f"works: last delivered{since.removeprefix(' since')}"
            case "unknown":
                return "not known yet: nothing has come back"
            case "none" | "invalid":
                return _NO_WAY[one.state]

    def cap(self, one: CapRoom) -> str:
        """Say how many emails count for a cap, and until when it is full."""
        shown = [self.at(at) for at in one.mails[-3:]]
        earlier = len(one.mails) - len(shown)
        parts = [*([f"{earlier} earlier"] if earlier else []), *shown]
        parts += [f"{one.may_leave} on the way, or in doubt"] if one.may_leave else []
        said = f"{len(one.mails) + one.may_leave} of {one.count}" + (f" ({', '.join(parts)})" if parts else "")
        if not one.full:
            return said
        return f"{said}: full until {self.at(one.room_at)}" if one.room_at else f"{said}: full for now"

    def coming(self, one: Coming) -> tuple[str, str]:
        """Say when something comes, and what it waits for."""
        reason = None if one.reason is None else self.reason(one.reason, one.loop, one.step)
        said = f"\n{clean(one.detail)}" if one.detail else ""
        when = "next run" if one.at is None else self.at(one.at)
        match one.kind:
            case "on its way":
                if one.reason == "quiet_hours":
                    return when, f"is sent then: it waits for their hour (quiet_hours, send_at){said}"
                if one.at is None and reason:
                    return "waits", f"is to be sent; {reason}{said}"
                return when, f"is sent then{': ' + reason if reason else ''}{said}" if one.at else f"is sent{said}"
            case "in flight":
                return when, f"sent, perhaps: no answer yet. The same email is repeated until there is one{said}"
            case "asked again" if one.reason == "left_segment":
                return when, "asked again, but they left since: nothing is sent unless they come back"
            case "asked again":
                then = _BY_THEN.get(one.reason or "")
                return (
                    "waits" if one.at is None and one.reason == "paused" else when
                ), f"asked again: {then or reason}"
            case "held" if one.reason == "there_at_start":
                return "never", f"no mail for this entry: {reason}"
            case "held":
                return "waits", f"nobody is decided now: {reason}{said}"
            case "new":
                return when, "is decided then: they are new to it"
            case "follows":
                after = "" if one.after is None else f"{duration_in_words(one.after)} later, "
                held = f"; {reason}" if reason else ""
                return ("after that" if one.at is None else when), f"{after}if they still match{held}"

    def happened(self, one: Happened) -> str:
        """Say about which account it is, why, and what became of it."""
        said = self._said(one)
        if one.account is None:
            return said
        return "\n".join([f"about account {short(clean(one.account), 40)}", *([said] if said else [])])

    def _said(self, one: Happened) -> str:
        why = "" if one.reason is None else self.reason(one.reason, one.loop, one.step)
        match one.outcome:
            case "accepted":
                subject = [f"“{clean(one.subject)}”"] if one.subject else []
                return "\n".join([*subject, self._became(one)])
            case "reserved":
                return "sent, perhaps: no answer yet" if one.reason == "no_answer" else "decided, and not yet sent"
            case "in_doubt":
                subject = [f"“{clean(one.subject)}”"] if one.subject else []
                said = [f"said last: {clean(one.detail)}"] if one.detail else []
                return "\n".join([*subject, "sent, perhaps: no answer came, and there is no record", *said])
            case "held_out":
                of = "any loop" if one.reason == "global" else "it"
                return f"one of those who get nothing of {of}, so that it can be measured"
            case _:
                return f"{why}\n{clean(one.detail)}" if one.detail else why

    def _became(self, one: Happened) -> str:
        said = []
        if one.delivered_at is not None:
            said.append(f"delivered {self.at(one.delivered_at)}")
        if one.bounced_at is not None:
            said.append(f"{BOUNCES[one.bounce or 'soft']} {self.at(one.bounced_at)}")
        if one.rejected_at is not None:
            said.append("the provider's own list has the address: dropped")
        if one.failed_at is not None:
            said.append("the provider could not send it")
        if one.complained_at is not None:
            said.append(f"marked as spam {self.at(one.complained_at)}")
        if one.unsubscribed_at is not None:
            said.append(f"said no by its link {self.at(one.unsubscribed_at)}")
        if one.clicked_at is not None:
            said.append("clicked")
        elif one.opened_at is not None:
            said.append("opened, not clicked")
        elif one.delivered_at is not None:
            said.append("not clicked")
        language = f"in {clean(one.language)}, " if one.language else ""
        if said:
            return language + ", ".join(said)
        accepted = "accepted" + (f" {self.at(one.accepted_at)}" if one.accepted_at else "")
        return f"{language}{accepted}; nothing came back yet"

    def outside(self, one: Outside) -> str:
        """Say when they left, or that they never were inside."""
        if one.left_at is not None:
            return f"left on {self.at(one.left_at)}: {LEFT_BECAUSE.get(one.left_because or '', one.left_because)}"
        if one.as_of is None:
            return "has not looked yet. Of its condition, for this user:" if one.parts else "has not looked yet"
        found = self.steps.get((one.loop, one.step))
        if found is not None and found[1].by_row:
            never = "nothing of theirs has triggered it"
        else:
            never = "is not inside" if one.was_inside is None else "never was"
        return (
            f"{never}. Of its condition, for this user:" if one.parts else f"{never}: is not selected by its condition"
        )


def name_of(loop: str, step: str) -> str:
    """Name a step; the only one of a loop by the loop."""
    return loop if step == "main" else f"{loop} · {step}"


def shortened(name: str) -> str:
    """Shorten a person's name: `Ada L.`."""
    first, *others = clean(name).split(" ")
    return f"{short(first, 20)} {others[-1][:1]}." if others else short(first, 20)


def value(column: str, held: object, now: datetime) -> str:
    """Say what the user has in a column."""
    match held:
        case None:
            shown = "NULL"
        case bytes():
            shown = short(f"x'{held.hex()}'", _VALUE)
        case datetime():
            shown = moment(held, now)
        case str():
            shown = short(held, _VALUE) if _MOMENT.match(held) else f"'{short(held, _VALUE)}'"
        case _:
            shown = short(str(held), _VALUE)
    return f"{column} is {shown}"


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d( |T|$)")
"""A text that is a date, as SQLite keeps them."""

_NO_WAY = {
    "none": "they have no address",
    "invalid": "what they have is not an address",
}

_BY_THEN = {
    "cap": "the cap has room by then",
    "repeat": "their last mail is old enough by then",
    "in_flight": "their last mail has left by then",
    "budget": "the day may have room by then",
    "outranked": "a loop of higher priority comes first, until then",
}
"""Why a moment was chosen at which somebody is asked again."""
