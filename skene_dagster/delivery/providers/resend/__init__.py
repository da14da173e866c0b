"""Resend: what it promises, and what it is told by the environment. Its SDK is imported only where it is opened."""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from skene_dagster.delivery.providers.base import Diagnosis, Provider, Registration, SlotWait, Terms
from skene_dagster.delivery.providers.feedback import Feedback
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.delivery.providers.suppression_list import SuppressionList
from skene_dagster.errors import SettingsError
from skene_dagster.settings import Settings

if TYPE_CHECKING:
    from skene_dagster.delivery.providers.resend.provider import ResendProvider
    from skene_dagster.delivery.providers.resend.webhooks import ResendReceiver

SECRET = "RESEND_WEBHOOK_SECRET"  # noqa: S105 - the variable's name

SHORTEST_SECRET = 16
"""Bytes; Resend's have 24 or more."""

URL = "https://api.resend.com"

TERMS = Terms(
    batch_limit=100,
    key_lives=timedelta(hours=23),
    key_is_kept=timedelta(hours=24),
    proves_after=timedelta(minutes=10),
    # The least that Resend ever documented.
    starts_at=2.0,
)

_VISIBLE = re.compile(r"[!-~]+")


def check(environ: Mapping[str, str]) -> None:
    """Refuse variables that could never work.

    Raises:
        SettingsError: with the name of the variable.
    """
    if key := environ.get("RESEND_API_KEY"):
        check_key(key)
    check_url(_url(environ))
    if secret := environ.get("RESEND_WEBHOOK_SECRET"):
        check_secret(secret)


def check_key(key: str) -> None:
    """Refuse what cannot be used in an HTTP header.

    Raises:
        SettingsError: it is not a key.
    """
    if _VISIBLE.fullmatch(key) is None:
        raise SettingsError("RESEND_API_KEY is not a key.", advice="Copy it again, without spaces and quotes.")


def check_secret(secret: str) -> None:
    """Refuse what webhooks cannot be signed with: of some texts the SDK makes an empty secret, which everybody knows.

    Raises:
        SettingsError: it is not a signing secret.
    """
    try:
        is_secret = secret.startswith("whsec_") and len(b64decode(secret[6:], validate=True)) >= SHORTEST_SECRET
    except ValueError:
        is_secret = False
    if not is_secret:
        raise SettingsError(
            f"{SECRET} is not the signing secret of a webhook.",
            advice="Copy it again from the webhook's page at Resend: it begins with whsec_.",
        )


def check_url(url: str) -> None:
    """Refuse to send a key unencrypted to another machine.

    Raises:
        SettingsError: it is not an address, or neither https nor on this machine.
    """
    try:
        split = urlsplit(url)
        here = split.hostname in {"127.0.0.1", "localhost"}
        usable = bool(split.hostname) and split.port != 0 and _VISIBLE.fullmatch(url) is not None
    except ValueError:
        usable = here = False
    if not usable or (split.scheme != "https" and not (split.scheme == "http" and here)):
        # Not quoted: it may hold a name and a password, or be the key itself.
        raise SettingsError("RESEND_API_URL is not an address that a key may be sent to.", advice="Use https://.")


def _url(environ: Mapping[str, str]) -> str:
    return environ.get("RESEND_API_URL") or URL


def _provider(settings: Settings) -> "ResendProvider":
    # The SDK costs 0.2 s, and a rehearsal never needs it.
    from skene_dagster.delivery.providers.resend.provider import ResendProvider  # noqa: PLC0415

    return ResendProvider(settings.environ["RESEND_API_KEY"], _url(settings.environ))


def _receiver(secret: str) -> "ResendReceiver":
    from skene_dagster.delivery.providers.resend.webhooks import ResendReceiver  # noqa: PLC0415 - as above

    return ResendReceiver(secret)


def _diagnose(settings: Settings) -> Iterator[Diagnosis]:
    provider = _provider(settings)
    try:
        yield from provider.diagnose(settings.sender.from_)
    finally:
        provider.close()


def _suppression_list(provider: Provider, wait_for_slot: SlotWait) -> SuppressionList:
    from skene_dagster.delivery.providers.resend.provider import ResendProvider  # noqa: PLC0415 - see _provider

    assert isinstance(provider, ResendProvider)
    return provider.suppression_list(wait_for_slot)


REGISTRATION = Registration(
    TERMS,
    needs="RESEND_API_KEY",
    check=check,
    open=lambda settings, _clock: _provider(settings),
    diagnose=_diagnose,
    thaw=messages_of,
    feedback=Feedback(SECRET, _receiver),
    suppression_list=_suppression_list,
)
