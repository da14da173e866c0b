"""What an alert says, short enough for a phone: what it is about, what is wrong, since when, what to do.

It names no recipient: it goes to a channel that many people read.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from skene_dagster.incidents.record import Incident
from skene_dagster.settings import AlertTarget, Environment
from skene_dagster.wording import how_many, in_words, without_addresses

SHOWN = 10
"""The most incidents that one message to Slack names."""

_COMMAND = re.compile(r"(?<!`)skene-dagster(?: (?!and\b)[\w-]+)+")
"""A command, in what to do: it is marked, so that it can be copied whole."""


def body_for(target: AlertTarget, incidents: Sequence[Incident], environment: Environment) -> dict[str, Any]:
    """Write what a target is sent about some incidents."""
    if target.form == "slack":
        return {"text": _for_slack(incidents, environment)}
    return {"environment": environment, "incidents": [_as_object(one) for one in incidents]}


def _for_slack(incidents: Sequence[Incident], environment: Environment) -> str:
    shown = [_in_lines(one) for one in incidents[:SHOWN]]
    if more := len(incidents) - len(shown):
        shown.append(f"… and {more:,} more: skene-dagster status")
    where = "" if environment == "production" else f"[{environment}] "
    return where + "\n".join(shown)


def _in_lines(incident: Incident) -> str:
    # Slack, 2026-11: these three characters begin its own marks.
    about, said, to_do = (_escaped(_plain(text)) for text in (incident.about, incident.said, incident.to_do))
    what = f"*{about}*: {said}" if about else said
    what = what.rstrip(".")
    if incident.closed_at is not None:
        lasted = _in_time(incident.closed_at - incident.opened_at)
        return f":white_check_mark: Over after {lasted}: {what}."
    to_do = _COMMAND.sub(r"`\g<0>`", to_do)
    then = f"\n→ {to_do[:1].upper()}{to_do[1:]}" if to_do else ""
    return f":red_circle: {what}.\nSince {in_words(incident.opened_at)}.{then}"


def _as_object(incident: Incident) -> dict[str, Any]:
    identity = f"{incident.kind} {incident.subject} {incident.opened_at.isoformat()}"
    return {
        "id": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "state": "open" if incident.closed_at is None else "over",
        "kind": incident.kind,
        "subject": incident.subject,
        "about": incident.about,
        "said": _plain(incident.said),
        "to_do": incident.to_do,
        "opened_at": _iso(incident.opened_at),
        "closed_at": None if incident.closed_at is None else _iso(incident.closed_at),
    }


def _plain(text: str) -> str:
    return without_addresses(text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _in_time(lasted: timedelta) -> str:
    minutes = max(1, round(lasted / timedelta(minutes=1)))
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return how_many(hours // 24, "day")


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds") + "Z"
