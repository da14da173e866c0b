"""Which providers' lists may be reached from here: those of the people whom the loops mail, never of a rehearsal."""

from collections.abc import Sequence
from dataclasses import dataclass

from skene_dagster.delivery import modes
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.suppression_list import SuppressionList
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import ProviderFatal
from skene_dagster.settings import Settings


@dataclass(frozen=True)
class ProviderList:
    """The list of one account."""

    provider: str
    """What people know the provider by."""
    account: str
    calls: SuppressionList


@dataclass(frozen=True)
class Reachable:
    """The providers whose lists may be reached."""

    names: Sequence[str]
    why_none: str = ""
    """A sentence's end; empty where there is one."""


def reachable(settings: Settings) -> Reachable:
    """Name the providers whose lists are those of the people whom this environment mails.

    Raises:
        SettingsError: a provider's variable could never work.
    """
    try:
        mode = modes.choose(settings)
    except ProviderFatal as fatal:
        return Reachable([], fatal.message.rstrip("."))
    if mode.name != "live":
        return Reachable([], f"emails do not go to people here ({mode.why})")
    configured = registry.configured(settings)
    names = [name for name in configured if registry.named(name).suppression_list is not None]
    return Reachable(names, "" if names else f"{' and '.join(configured)} has none that can be read")


def open_list(session: DeliverySession, name: str) -> ProviderList:
    """Open the list of a provider that has one; calls of it take their slots among those that send."""
    outlet, opened = session.outlet(name), registry.named(name).suppression_list
    wait = session.slot_wait(outlet)

    def wait_for_slot(seconds: float) -> None:
        outlet.pacing.learn(outlet.provider.rate_limit)
        wait(seconds)

    account = outlet.provider.account
    assert opened is not None
    assert account is not None
    return ProviderList(outlet.provider.name, account, opened(outlet.provider, wait_for_slot))
