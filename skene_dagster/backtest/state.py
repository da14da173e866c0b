"""What a replay knows about the users of a step from tick to tick, as the ledger knows it from run to run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from skene_dagster.delivery.decide.eligibility import AlreadyDecided, Decision, Defer, HoldOut, Mail, Skip
from skene_dagster.delivery.ledger.decisions.deferring import UNMAILABLE
from skene_dagster.delivery.model import Past, SendState, Waiting

Place = tuple[object, str]
"""Somebody, and the row that they are decided about; of members no row."""

MEMBER = ""


@dataclass
class Known:
    """Members, or rows that triggered, of one step."""

    pasts: dict[object, Past] = field(default_factory=dict)
    entered: dict[Place, datetime] = field(default_factory=dict)
    """Who is inside, and since which tick; of rows the tick at which each was found."""
    waiting: dict[Place, Waiting] = field(default_factory=dict)
    decided: set[Place] = field(default_factory=set)
    """Rows of which it is decided."""

    def refresh(self, selected: set[object], tick: datetime) -> list[Place]:
        """Let those enter and leave whom the condition selects and does not; return who has entered."""
        for place in [place for place in self.entered if place[0] not in selected]:
            del self.entered[place]
        new = [(key, MEMBER) for key in selected if (key, MEMBER) not in self.entered]
        self.entered.update(dict.fromkeys(new, tick))
        return new

    def due(self, tick: datetime, mailable: Mapping[object, bool]) -> Iterator[Place]:
        """List who waits and is decided again at a tick; who could not be mailed and cannot yet stays."""
        for place, waiting in self.waiting.items():
            if waiting.ask_at <= tick:
                is_inside = place in self.entered
                if waiting.reason not in UNMAILABLE or not is_inside or mailable.get(place[0], False):
                    yield place

    def decide(self, place: Place, decision: Decision, tick: datetime) -> None:
        """Remember what was decided at a tick."""
        match decision:
            case AlreadyDecided():
                return
            case Defer(occurrence=occurrence, reason=reason, ask_at=ask_at):
                before = self.waiting.get(place)
                left_at = None if before is None else before.outranked_at
                self.waiting[place] = Waiting(occurrence, reason, ask_at, left_at)
                return
            case Mail(occurrence=occurrence):
                self._settle(place, occurrence, "accepted", tick)
            case HoldOut(occurrence=occurrence):
                self._settle(place, occurrence, "held_out", tick)
            case Skip(occurrence=occurrence):
                self._settle(place, occurrence, "skipped", tick)

    def _settle(self, place: Place, occurrence: str, state: SendState, tick: datetime) -> None:
        key, row = place
        self.waiting.pop(place, None)
        past = self.pasts.get(key)
        mailed = tick if state != "skipped" else past.mailed_as_of if past else None
        if row != MEMBER:
            self.decided.add(place)
            if past is not None and state == "skipped":
                self.pasts[key] = replace(past, mailed_as_of=mailed)
                return
            self.pasts[key] = Past(1, None, None, tick, mailed)
            return
        last = max(int(occurrence), past.occurrences if past else 0)
        self.pasts[key] = Past(last, state, None, tick, mailed)
