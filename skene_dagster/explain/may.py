"""May we mail them: what they said, whether their address works, and how much room the caps have."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection

from skene_dagster.consent import listing, preferences
from skene_dagster.consent.listing import Recorded
from skene_dagster.consent.permission import Purpose, refusals
from skene_dagster.consent.preferences import Kept
from skene_dagster.consent.suppressions import Suppression, topic_scope
from skene_dagster.delivery import ledger
from skene_dagster.delivery.decide import facts
from skene_dagster.delivery.decide.caps import full
from skene_dagster.delivery.decide.eligibility import fault_of
from skene_dagster.delivery.decide.facts import Person as UserRow
from skene_dagster.delivery.ledger import StepScope, people
from skene_dagster.explain.model import AddressHealth, CapRoom, TopicState
from skene_dagster.product import user_tests
from skene_dagster.settings import Settings

_ANSWERS = 200
"""The newest answers of somebody that are looked at."""

_NEWEST = 20
"""The newest emails to an address by which it is judged."""


def topics(
    connection: Connection, settings: Settings, user: UserRow, names: Collection[str], now: datetime
) -> list[TopicState]:
    """Say of each topic whether they get it, and why not, or since when they want it."""
    holding = listing.holding(connection, names, None, now)
    answers = preferences.said_by(connection, names, _ANSWERS)
    key = user.columns[settings.users.key]
    found = []
    for name, topic in settings.topics.items():
        purpose = Purpose.of(settings, name)
        agreed = set()
        if purpose.needs_consent:
            test = user_tests.has_agreed(connection, settings.users, name, topic, now)
            asked = {f"topics.{name}.asked": topic.asked}
            row = facts.read(connection, settings.users, [key], as_of=now, agreed=test, asked=asked).get(key)
            agreed = {key} if row is not None and row.has_agreed else set()
        refusal = refusals(connection, {key: names}, agreed, purpose, now).get(key)
        scopes = ("all",) if refusal == "suppressed" else ("marketing", topic_scope(name))
        if refusal in ("suppressed", "said_no"):
            stop = next((one for scope in scopes for one in holding if one.scope == scope), None)
            loop = None if stop is None else _loop_of(connection, answers, stop)
            found.append(_stopped(name, refusal, stop, loop))
            continue
        yes = next((one for one in answers if one.scope == topic_scope(name)), None)
        if refusal is None and yes is not None and yes.answer == "yes":
            found.append(TopicState(name, None, None, yes.said.at, yes.said.source, _loop(connection, yes)))
        else:
            source = "they agreed in the product" if refusal is None and agreed else None
            found.append(TopicState(name, refusal, None, None, source, None))
    return found


def _stopped(name: str, refusal: str, stop: Suppression | None, loop: str | None) -> TopicState:
    assert refusal in ("suppressed", "said_no")
    if stop is None:
        return TopicState(name, refusal, None, None, None, loop)  # type: ignore[arg-type]  # one of the two
    return TopicState(name, refusal, stop.scope, stop.since, stop.source, loop)  # type: ignore[arg-type]  # as above


def _loop_of(connection: Connection, answers: Sequence[Kept], stop: Suppression) -> str | None:
    """Name the loop in whose email somebody said this "no"."""
    said = next((one for one in answers if one.scope == stop.scope and one.said.at == stop.since), None)
    return None if said is None or said.answer != "no" else _loop(connection, said)


def _loop(connection: Connection, answer: Kept) -> str | None:
    send_id = answer.said.send_id
    if send_id is None:
        return None
    receipt = people.receipts_by_send(connection, [send_id]).get(send_id)
    return None if receipt is None else receipt.loop


def address_health(
    connection: Connection, address: str | None, recipient: str | None, mode: str, now: datetime
) -> AddressHealth:
    """Say whether an address works."""
    fault = fault_of(address)
    if fault is not None or recipient is None:
        return AddressHealth("none" if fault == "no_address" else "invalid", None, None, None)
    dead = [one for one in listing.holding(connection, [recipient], ["all"], now) if one.scope == "all"]
    if dead:
        return AddressHealth("suppressed", dead[0].since, dead[0].reason, dead[0].source)
    for one in people.newest_receipts(connection, recipient, mode, _NEWEST):
        if one.bounced_at is not None:
            return AddressHealth("bounced", one.bounced_at, one.bounce, one.status_codes)
        if one.delivered_at is not None:
            return AddressHealth("works", one.delivered_at, None, None)
    return AddressHealth("unknown", None, None, None)


def on_record(connection: Connection, recipient: str) -> tuple[Sequence[Recorded], list[Kept]]:
    """List what is on record of an address that no user has: suppressions, and answers."""
    return listing.history(connection, [recipient], None), preferences.said_by(connection, [recipient], _ANSWERS)


def rooms(connection: Connection, settings: Settings, recipient: str | None, mode: str, now: datetime) -> list[CapRoom]:
    """Say how much room each cap has for an address."""
    caps = settings.limits.caps
    if not caps or recipient is None:
        return []
    since = now - max(cap.within for cap in caps)
    nobody = StepScope(mode, "", "")
    contacts = ledger.contacts_of(connection, nobody, [recipient], as_of=now, since=since).get(recipient, [])
    found = []
    for cap in caps:
        left = sorted(one.at for one in contacts if one.at is not None and one.at > now - cap.within)
        room = full([cap], contacts, now)
        may_leave = sum(one.at is None for one in contacts)
        found.append(
            CapRoom(cap.count, cap.within, tuple(left), may_leave, room is not None, room.at if room else None)
        )
    return found
