"""Take addresses off the lists of the providers, too: else they accept an email to them, and drop it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from skene_dagster.delivery.providers.base import Denied
from skene_dagster.delivery.providers.suppression_list import Listed
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.feedback.provider_list.lists import ProviderList, open_list


@dataclass(frozen=True)
class LiftedThere:
    """An address that a provider had on its list."""

    provider: str
    address: str
    """As it was asked for."""
    entry: Listed


@dataclass
class Answered:
    """What the providers said about some addresses."""

    lifted: list[LiftedThere] = field(default_factory=list)
    """Taken off."""
    complaints: list[LiftedThere] = field(default_factory=list)
    """Left as they are: their owners complained."""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Providers that could not be asked about all of them, and why."""


def lift_there(
    session: DeliverySession, names: Sequence[str], addresses: Collection[str], *, complaints: bool
) -> Answered:
    """Take addresses off the providers' lists. To do it again finishes what was broken off.

    Args:
        names: of the providers.
        complaints: whether to take off those of people who complained, too.
    """
    answered = Answered()
    for name in names:
        listed = open_list(session, name)
        try:
            for address in addresses:
                _lift(listed, address, answered, complaints=complaints)
        except Denied as denied:
            answered.unanswered[listed.provider] = str(denied)
    return answered


def _lift(listed: ProviderList, address: str, answered: Answered, *, complaints: bool) -> None:
    entry = listed.calls.entry(address)
    if entry is None:
        return
    there = LiftedThere(listed.provider, address, entry)
    if entry.origin == "complaint" and not complaints:
        answered.complaints.append(there)
    else:
        listed.calls.remove(entry.entry_id)
        answered.lifted.append(there)
