"""Where emails go: to the people (`live`), all to one address (`redirect`), or into a folder (`outbox`).

A rehearsal can never be mistaken for the real thing: live mail needs both a key and SKENE_ENV=production, and in
production a missing key stops the run rather than filling a folder in silence.
"""

from dataclasses import dataclass

from skene_dagster.delivery.model import ModeName
from skene_dagster.delivery.providers.base import Provider
from skene_dagster.delivery.providers.outbox import OutboxProvider
from skene_dagster.errors import ProviderFatal
from skene_dagster.settings import Settings
from skene_dagster.store.engine import Clock


@dataclass(frozen=True)
class Mode:
    """Where the emails of a run go, and why there."""

    name: ModeName
    why: str

    @property
    def leaves(self) -> bool:
        """Whether its emails leave this machine."""
        return self.name != "outbox"


def choose(settings: Settings) -> Mode:
    """Choose the mode of this environment.

    Raises:
        ProviderFatal: in production without a key.
    """
    key = settings.resend_api_key is not None
    if settings.environment == "production":
        if not key:
            raise ProviderFatal(
                "SKENE_ENV is production, but RESEND_API_KEY is not set.",
                advice="Set the key, or another SKENE_ENV for a rehearsal.",
            )
        return Mode("live", "SKENE_ENV is production and RESEND_API_KEY is set")
    if settings.redirect_to is None:
        return Mode("outbox", f"SKENE_ENV is {settings.environment}")
    if not key:
        return Mode("outbox", "SKENE_REDIRECT_TO is set, but RESEND_API_KEY is not")
    return Mode("redirect", f"SKENE_ENV is {settings.environment}; SKENE_REDIRECT_TO is set")


def provider(mode: Mode, settings: Settings, clock: Clock) -> Provider:
    """Open the provider that serves a mode."""
    if not mode.leaves:
        return OutboxProvider(settings.outbox, clock)
    # Imported here: the SDK costs 0.2 s, and a rehearsal never needs it.
    from skene_dagster.delivery.providers.resend import ResendProvider  # noqa: PLC0415

    assert settings.resend_api_key is not None
    return ResendProvider(settings.resend_api_key, settings.resend_url)
