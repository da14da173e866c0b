"""Frequency caps: how many marketing emails a recipient gets in a time, from all loops together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from skene_dagster.delivery.model import Contact
from skene_dagster.settings import Cap


@dataclass(frozen=True)
class Room:
    """From when on a cap may let one more email through."""

    at: datetime | None
    """None: it depends on emails that may still leave."""


def full(caps: Sequence[Cap], contacts: Sequence[Contact], planned: datetime) -> Room | None:
    """Say whether an email at a moment would be one too many; None: it would not.

    What may still leave counts as if it left at that moment. An email counts for as long as a cap says, exactly.
    """
    emails = [one for one in contacts if not one.is_held_out]
    return latest(*(_full(cap, emails, planned) for cap in caps))


def latest(*rooms: Room | None) -> Room | None:
    """Say from when on all of some caps may let an email through; None: now."""
    moments = [room.at for room in rooms if room is not None]
    if not moments:
        return None
    return Room(None if None in moments else max(moment for moment in moments if moment is not None))


def _full(cap: Cap, contacts: Sequence[Contact], planned: datetime) -> Room | None:
    left = sorted((one.at for one in contacts if one.at is not None and one.at > planned - cap.within), reverse=True)
    may_leave = sum(one.at is None for one in contacts)
    if len(left) + may_leave < cap.count:
        return None
    # So many of the newest must be over for one more to fit.
    return Room(None) if may_leave >= cap.count else Room(left[cap.count - may_leave - 1] + cap.within)
