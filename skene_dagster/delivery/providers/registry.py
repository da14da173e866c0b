"""Which providers there are. All others reach them through here, and know none by its name."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers import json_emails, resend, smtp
from skene_dagster.delivery.providers.base import Clock, Provider, Registration
from skene_dagster.delivery.providers.feedback import Receiver
from skene_dagster.delivery.providers.outbox import TERMS as OUTBOX
from skene_dagster.delivery.providers.outbox.erasing import erase as erase_emails
from skene_dagster.delivery.providers.outbox.files import clear as clear_outbox
from skene_dagster.delivery.providers.outbox.provider import OutboxProvider
from skene_dagster.settings import Settings

__all__ = [
    "OUTBOX",
    "REGISTERED",
    "asked",
    "check",
    "clear_outbox",
    "configured",
    "erase_from_outbox",
    "named",
    "open_outbox",
    "receivers",
    "thawed",
]

REGISTERED: Mapping[str, Registration] = MappingProxyType({"resend": resend.REGISTRATION, "smtp": smtp.REGISTRATION})
"""By the name that files call them by."""


def check(settings: Settings) -> None:
    """Refuse variables of any provider that could never work.

    Raises:
        SettingsError: with the name of the variable.
    """
    for registration in REGISTERED.values():
        registration.check(settings.environ)


def configured(settings: Settings) -> list[str]:
    """Name those that the environment can send by.

    Raises:
        SettingsError: it holds something that could never work.
    """
    return [name for name, entry in REGISTERED.items() if entry.is_configured(settings)]


def receivers(settings: Settings) -> dict[str, Receiver]:
    """Return what reads the webhooks of those that the environment has a secret of, by name.

    Raises:
        SettingsError: it holds something that could never work.
    """
    check(settings)
    made = {}
    for name, entry in REGISTERED.items():
        if entry.feedback is not None and (secret := settings.environ.get(entry.feedback.secret)):
            made[name] = entry.feedback.receiver(secret)
    return made


def asked(settings: Settings) -> list[str]:
    """Name those that the environment can send by, and that have to be asked what became of emails: they do not tell.

    Raises:
        SettingsError: it holds something that could never work.
    """
    return [
        name
        for name in configured(settings)
        if (feedback := REGISTERED[name].feedback) is not None and not settings.environ.get(feedback.secret)
    ]


def named(name: str | None) -> Registration:
    """Return the provider of this name, which a plan or the ledger has."""
    assert name is not None
    return REGISTERED[name]


def open_outbox(settings: Settings, clock: Clock) -> Provider:
    """Open the folder that takes emails which may not leave."""
    return OutboxProvider(settings.outbox, clock)


def erase_from_outbox(settings: Settings, send_ids: Collection[str], addresses: Collection[str]) -> int:
    """Delete the emails of the outbox folder that are of some sends, or to some addresses; return how many.

    Raises:
        StoreError: a file cannot be read or deleted.
    """
    return erase_emails(settings.outbox, send_ids, addresses)


def thawed(mode: str, name: str, batch: Frozen) -> tuple[Message, ...]:
    """Read the emails of a frozen batch back.

    Args:
        name: the provider that the ledger has of it; in the mode `outbox` the folder made its bytes.

    Raises:
        ValueError: the bytes are none of ours.
    """
    return json_emails.messages_of(batch) if mode == "outbox" else named(name).thaw(batch)
