"""A table of events that a test lets answer: when it commits, what it refuses, and whether it is there."""

import threading
from collections.abc import Sequence
from datetime import datetime, timezone

from sqlalchemy import create_engine

from skene_dagster.behaviour.events import Fitted, Journal
from skene_dagster.behaviour.user_ids import UserIds
from skene_dagster.errors import EventRefused

NOW = datetime(2026, 11, 29, 12)
PATIENCE = 60.0
"""Seconds after which something that should happen did not."""


class ScriptedJournal(Journal):
    """Commits when it may, and notes what."""

    def __init__(self) -> None:
        super().__init__(
            create_engine("sqlite://"),
            lambda: datetime.now(timezone.utc).replace(tzinfo=None),
            UserIds("integer", 0, 99),
        )
        self.may = threading.Semaphore(0)
        """Once for each transaction that may end."""
        self.begun = threading.Semaphore(0)
        """Once for each transaction that has begun."""
        self.transactions: list[list[str]] = []
        """The ids of the events of each."""
        self.wrong: list[Exception] = []
        """How the next transactions end; the others end well."""
        self.refuses: set[str] = set()
        """The ids of events that the database refuses."""
        self.is_closed = False

    def store(self, fitted: Sequence[Fitted]) -> dict[int, EventRefused]:
        self.transactions.append([event.event_id for event in fitted])
        self.begun.release()
        assert self.may.acquire(timeout=PATIENCE)
        if self.wrong:
            raise self.wrong.pop(0)
        return {
            place: EventRefused(f"It refuses {event.event_id}.")
            for place, event in enumerate(fitted)
            if event.event_id in self.refuses
        }

    def close(self) -> None:
        super().close()
        self.is_closed = True


def fitted(*ids: str) -> list[Fitted]:
    """Make events of these ids."""
    return [Fitted(event_id, 7, "used", NOW, None) for event_id in ids]
