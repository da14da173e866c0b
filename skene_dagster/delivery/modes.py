"""Where emails go: to the people (`live`), all to one address (`redirect`), or into a folder (`outbox`).

A rehearsal can never be mistaken for the real thing: live mail needs both a key and SKENE_ENV=production, and in
production a missing key stops the run rather than filling a folder in silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from skene_dagster.delivery.model import ModeName
from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.base import Provider, Terms
from skene_dagster.errors import ProviderFatal
from skene_dagster.settings import FILE, Settings
from skene_dagster.store.engine import CLOCKS_DIFFER, Clock


@dataclass(frozen=True)
class Mode:
    """Where the emails of a run go, and why there."""

    name: ModeName
    why: str

    @property
    def leaves(self) -> bool:
        """Whether its emails leave this machine."""
        return self.name != "outbox"

    def simulates(self, as_of: datetime, now: datetime, expires_after: timedelta) -> bool:
        """Whether a tick is of simulated time: of another than it is now, where no email leaves."""
        return not self.leaves and not -CLOCKS_DIFFER <= now - as_of <= expires_after


def choose(settings: Settings) -> Mode:
    """Choose the mode of this environment.

    Raises:
        ProviderFatal: in production without the secret of any provider.
        SettingsError: a provider's variable could never work.
    """
    secrets = [registry.named(name).needs for name in registry.configured(settings)]
    lacking = registry.named(settings.sender.provider).needs
    if settings.environment == "production":
        if not secrets:
            raise ProviderFatal(
                f"SKENE_ENV is production, but {lacking} is not set.",
                advice="Set it, or another SKENE_ENV for a rehearsal.",
            )
        return Mode("live", f"SKENE_ENV is production and {_are_set(secrets)}")
    if settings.redirect_to is None:
        return Mode("outbox", f"SKENE_ENV is {settings.environment}")
    if not secrets:
        return Mode("outbox", f"SKENE_REDIRECT_TO is set, but {lacking} is not")
    return Mode("redirect", f"SKENE_ENV is {settings.environment}; {_are_set(['SKENE_REDIRECT_TO', *secrets])}")


def provider(mode: Mode, settings: Settings, clock: Clock, name: str) -> Provider:
    """Open the provider that stands for the one of this name in a mode.

    Raises:
        ProviderFatal: the environment lacks what it cannot send without.
    """
    if not mode.leaves:
        return registry.open_outbox(settings, clock)
    require(settings, name)
    return registry.named(name).open(settings, clock)


def require(settings: Settings, name: str) -> None:
    """Refuse to send by a provider that cannot.

    Raises:
        ProviderFatal: the environment lacks what it cannot send without.
    """
    entry = registry.named(name)
    if not entry.is_configured(settings):
        raise ProviderFatal(
            f"Emails are to be sent by {name}, but {entry.needs} is not set.",
            advice=f"Set it, or another 'provider' where {FILE} or a loop says {name}.",
        )


def terms(mode: str, name: str | None) -> Terms:
    """Say what the provider promises that stands for the one of this name in a mode."""
    return registry.OUTBOX if mode == "outbox" else registry.named(name).terms


def _are_set(variables: Sequence[str]) -> str:
    *most, last = variables
    return f"{', '.join(most)} and {last} are set" if most else f"{last} is set"
