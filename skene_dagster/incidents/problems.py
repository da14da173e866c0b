"""A problem: something that is wrong now, and that a person should look at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

StepKind = Literal[
    "late",
    "ahead",
    "run_failed",
    "held",
    "first_wave",
    "in_doubt",
    "waiting",
    "unresolved",
    "stuck",
]
"""What is wrong with a step."""

Kind = Literal[
    StepKind, "paused", "provider_closed", "broken_file", "unheard", "outdated", "alert_refused", "not_erased"
]
"""What is wrong.

`late`: a tick was missed; `ahead`: a step was refreshed by a clock that was ahead; `run_failed`: an op failed, and has
not succeeded since; `paused`: a person or the breaker paused a loop, or all; `held`: a gate holds a step; `first_wave`:
it waits for approval; `in_doubt`: emails that may or may not have been sent; `waiting`: emails that should have left;
`unresolved`: batches without an answer that nobody takes up; `stuck`: emails that nobody sends; `provider_closed`: a
quota is used up; `broken_file`: a file is not loaded; `unheard`: answers of recipients wait on this machine;
`outdated`: the ledger was restored from a backup; `alert_refused`: a target takes no alerts; `not_erased`: what an
erasure had to leave should be gone by now.
"""

LASTS: dict[Kind, timedelta] = {"waiting": timedelta(minutes=15), "unheard": timedelta(minutes=5)}
"""How long it must have lasted before anybody is told: a batch that is throttled goes on within moments."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong now."""

    kind: Kind
    subject: str
    """What it is about, for programs; with its kind it is the same for as long as it lasts."""
    about: str
    """What it is about, for people; empty where `said` says it."""
    said: str
    """What is wrong; names no recipient."""
    to_do: str = ""
    """A command, or where to look."""
    since: datetime | None = None
    """Since when, where that is known; else it is since it was found."""

    @property
    def words(self) -> str:
        """All of it in one line."""
        said = f"{self.about}: {self.said}" if self.about else self.said
        return f"{said.rstrip('.')}; {self.to_do}" if self.to_do else said
