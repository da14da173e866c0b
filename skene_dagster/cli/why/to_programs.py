"""One user as JSON: the same as on the screen, with the ledger's reasons; moments are ISO 8601 in UTC."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta

from skene_dagster.cli.screen import mask
from skene_dagster.consent.listing import Recorded
from skene_dagster.consent.preferences import Kept
from skene_dagster.durations import duration_text
from skene_dagster.explain.model import Explained
from skene_dagster.store.keys import as_text
from skene_dagster.store.tables import OPEN


def explained(found: Explained) -> dict[str, object]:
    """Describe a user."""
    described = to_json(found)
    assert isinstance(described, dict)
    person = described["person"]
    assert isinstance(person, dict)
    del person["key"]
    person["address"] = None if found.person.address is None else mask(found.person.address)
    return described


def on_record(records: Sequence[Recorded], answers: Sequence[Kept]) -> dict[str, object]:
    """Describe what is on record of an address that no user has."""
    return {
        "suppressions": [
            {
                "scope": one.suppression.scope,
                "reason": one.suppression.reason,
                "since": to_json(one.suppression.since),
                "until": None if one.suppression.until == OPEN else to_json(one.suppression.until),
                "source": one.suppression.source,
                "lift_reason": one.lift_reason,
            }
            for one in records
        ],
        "answers": [
            {"scope": one.scope, "answer": one.answer, "at": to_json(one.said.at), "source": one.said.source}
            for one in answers
        ],
    }


def to_json(value: object) -> object:
    """Describe a value in what JSON has."""
    match value:
        case datetime():
            return f"{value.isoformat()}Z"
        case date():
            return value.isoformat()
        case timedelta():
            return duration_text(value)
        case bytes():
            return as_text(value)
        case tuple() | list():
            return [to_json(one) for one in value]
        case None | str() | int() | float():
            return value
        case _ if is_dataclass(value):
            return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return str(value)
