"""A provider's own list of addresses to which it sends nothing: it accepts email to them, and drops it.

It belongs to the account, and so to whatever else sends by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Protocol

Origin = Literal["bounce", "complaint", "manual"]
"""Why an address is on the list: by itself, or because somebody put it there."""


@dataclass(frozen=True)
class Listed:
    """An address on the list."""

    entry_id: str
    address: str
    """As the provider writes it; nobody has checked it."""
    origin: Origin
    since: datetime | None
    """In UTC; None where the provider does not say, or not in a way that can be read."""


@dataclass(frozen=True)
class ListPage:
    """A part of the list."""

    entries: Sequence[Listed]
    unread: int
    """Entries that cannot be understood."""
    last: str | None
    """Its last entry, behind which the next page begins; None at the end of the list."""


class SuppressionList(Protocol):
    """The list of one account. All that is done to it may be done again.

    Each method raises `Denied` where there was no answer, or none that can be understood, and `Forbidden` where the
    key has no right to it. What was to be changed may then be changed or not.
    """

    at_once: ClassVar[int]
    """The most addresses that are added in one call, and the most entries of a page."""

    def page(self, after: str | None) -> ListPage:
        """Read the next entries, the newest first, behind one (None: from the beginning)."""
        ...

    def entry(self, entry: str) -> Listed | None:
        """Find an entry by its id, or by its address in whatever capitals; None if it is not on the list."""
        ...

    def add(self, addresses: Sequence[str]) -> bool:
        """Put addresses on the list; what is there stays. False: the provider does not take one of them."""
        ...

    def remove(self, entry_id: str) -> None:
        """Take an entry off the list, if it is there."""
        ...
