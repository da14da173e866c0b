"""Tell the targets what they do not know yet, each at least once: it is noted that one knows after it has answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection, Engine

from skene_dagster.consent.writing import write
from skene_dagster.incidents import record, refusals
from skene_dagster.incidents.messages import body_for
from skene_dagster.incidents.now import Found
from skene_dagster.incidents.posting import Call, Outcome, make
from skene_dagster.incidents.record import Incident
from skene_dagster.settings import AlertTarget, Settings
from skene_dagster.store.engine import Clock, reading

REFUSED_FOR = timedelta(hours=1)
"""How long a target that refused an alert is left alone."""

_AGAIN = {
    "later": "the next look tries again",
    "refused": "it is tried again in an hour, or with another address",
}
"""By what became of a call: when the next one is."""


@dataclass
class Told:
    """What was told, and to whom it could not be."""

    incidents: int = 0
    """That at least one target was told of."""
    not_told: list[str] = field(default_factory=list)
    """Why targets were not told, by the names of their variables, and when they are tried again."""


def keep(engine: Engine, found: Found, clock: Clock) -> None:
    """Open and close incidents by what was found.

    Raises:
        StoreError: the database refused; the next look does it.
    """
    write(engine, lambda connection: record.record(connection, found.problems, found.looked_at, clock()))


def tell(engine: Engine, settings: Settings, clock: Clock, seconds: float) -> Told:
    """Tell each target, in one message, of all incidents that it does not know of.

    Args:
        seconds: to wait for all answers together.

    Raises:
        StoreError: the database refused; a target that was told may be told again.
    """
    targets = {refusals.name_of(one): one for one in settings.alerts if one.address is not None}
    told = Told()
    if not targets:
        return told
    now = clock()
    incidents = reading(engine, lambda connection: record.to_tell(connection, targets, now))
    refused = reading(engine, refusals.since)
    messages: dict[str, list[Incident]] = {}
    for name in targets:
        news = [one for one in incidents if one.is_news_to(name)]
        if news and not (name in refused and refused[name] <= now < refused[name] + REFUSED_FOR):
            messages[name] = news
    calls = [
        Call(targets[name], body_for(targets[name], news, settings.environment)) for name, news in messages.items()
    ]
    outcomes = dict(zip(messages, make(calls, seconds), strict=True))
    told.not_told = [
        f"{targets[name].variable}: {one.said}; {_AGAIN[one.state]}"
        for name, one in outcomes.items()
        if one.state != "taken"
    ]

    def note(connection: Connection) -> int:
        for name, outcome in outcomes.items():
            _note_refusal(connection, name, outcome, clock)
        return _note_who_knows(connection, incidents, messages, outcomes, frozenset(targets), clock)

    told.incidents = write(engine, note) if incidents else 0
    return told


def beat(target: AlertTarget | None, seconds: float) -> str:
    """Call the heartbeat; say why it was not heard, empty if it was, or if there is none."""
    if target is None or target.address is None:
        return ""
    (outcome,) = make([Call(target, None)], seconds)
    return "" if outcome.state == "taken" else f"{target.variable}: {outcome.said}"


def _note_refusal(connection: Connection, name: str, outcome: Outcome, clock: Clock) -> None:
    if outcome.state == "refused":
        refusals.refused(connection, name, outcome.said, clock())
    elif outcome.state == "taken":
        refusals.taken(connection, name)


def _note_who_knows(
    connection: Connection,
    incidents: Sequence[Incident],
    messages: dict[str, list[Incident]],
    outcomes: dict[str, Outcome],
    everybody: frozenset[str],
    clock: Clock,
) -> int:
    number = 0
    for incident in incidents:
        new = {name for name, news in messages.items() if incident in news and outcomes[name].state == "taken"}
        number += bool(new)
        record.told(connection, incident, frozenset(new), everybody, clock())
    return number
