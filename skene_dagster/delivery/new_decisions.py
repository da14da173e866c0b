"""Decisions that are still to be written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from skene_dagster.delivery.model import SkipReason, Waiting
from skene_dagster.goals.arms import Enrolled


@dataclass(frozen=True)
class NewContact:
    """Whom an email is to reach that is still to be written down."""

    user_id: object
    occurrence: str
    recipient: str
    """As `Recipients` names their address."""


@dataclass(frozen=True)
class NewSend:
    """A final decision that is still to be written down."""

    user_id: object
    occurrence: str
    state: Literal["reserved", "skipped", "held_out"]
    reason: SkipReason | Literal["global"] | None
    """None of those who are mailed, and of those whom this loop holds out."""
    not_before: datetime | None = None
    """From when on their email may leave; None: at once."""


@dataclass(frozen=True)
class NewDeferral:
    """A decision that is still to be written down, and is taken again later."""

    user_id: object
    waiting: Waiting


@dataclass(frozen=True)
class NewDecisions:
    """What was decided about a page."""

    sends: Sequence[NewSend]
    deferrals: Sequence[NewDeferral]
    answered: Sequence[tuple[object, str]]
    """Who was due, by user and occurrence: they wait no more, or again."""
    contacts: Sequence[NewContact]
    """To which recipients the emails go that are counted."""
    enrolled: Sequence[Enrolled] = ()
    """Who is compared from now on."""
