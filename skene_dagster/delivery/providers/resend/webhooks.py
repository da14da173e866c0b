"""Resend's webhooks: checked by its SDK, and read as reports; and what its list of emails says in their place."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import resend

from skene_dagster.consent.imports.times import moment
from skene_dagster.delivery.email.message import ORIGIN_TAG, SEND_TAG
from skene_dagster.delivery.providers.feedback import Kind, NotGenuine, Report
from skene_dagster.settings.addresses import bare_address

KINDS: Mapping[str, Kind] = {
    "email.scheduled": "queued",
    "email.sent": "sent",
    "email.delivered": "delivered",
    "email.delivery_delayed": "delayed",
    "email.bounced": "bounced",
    "email.failed": "failed",
    "email.suppressed": "rejected",
    "email.complained": "complained",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "suppression.added": "listed",
}
"""What the types of events say of an email, or of an address."""

OTHERS = ("contact.", "domain.", "topic.", "inbox.", "suppression.", "email.received")
"""How the types of events begin that are about something else."""

NAMING: frozenset[Kind] = frozenset({"bounced", "rejected", "complained", "listed"})
"""Of what may follow something for an address."""

LONGEST_CODES = 64
"""Characters of the status codes of one bounce."""

EARLIEST = datetime(2020, 1, 1)
"""Before Resend was there: such a moment is a mistake."""

# A code of three numbers that is no part of an IP address.
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_SEND = re.compile(r"[0-9a-f]{32}")
_ORIGIN = re.compile(r"[0-9a-zA-Z_-]{1,80}")


class ResendReceiver:
    """Reads what Resend posts.

    Args:
        secret: `whsec_…`.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def read(self, body: bytes, headers: Mapping[str, str]) -> Report:
        """See `Receiver`."""
        event_id, posted = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
        if _VISIBLE.fullmatch(event_id) is None:
            raise NotGenuine("The header svix-id is missing, or no id.")
        try:
            event: object = resend.Webhooks.verify(
                {
                    "payload": body.decode(),
                    "headers": {
                        "id": event_id,
                        "timestamp": posted,
                        "signature": headers.get("svix-signature", ""),
                    },
                    "webhook_secret": self._secret,
                }
            )
            sent_at = datetime.fromtimestamp(int(posted), timezone.utc).replace(tzinfo=None)
        except (ValueError, OverflowError, RecursionError):
            # Its words may quote the body.
            raise NotGenuine("The signature is not Resend's, or it is too old, or the body is not JSON.") from None
        if not isinstance(event, dict):
            raise NotGenuine("The body is not a JSON object.")
        return report(event_id, event, _moment(event.get("created_at")) or sent_at)


def report(event_id: str, event: Mapping[str, Any], at: datetime) -> Report:
    """Read an event; what is not as it is documented is left out."""
    type_ = _word(event.get("type"), 64) or "?"
    kind = KINDS.get(type_) or ("other" if type_.startswith(OTHERS) else "unknown")
    data = _mapping(event.get("data"))
    tags = _mapping(data.get("tags"))
    bounce = _mapping(data.get("bounce"))
    address = _address(data)
    return Report(
        event_id,
        type_,
        kind,
        at,
        provider_id=_matching(_VISIBLE, data.get("email_id"), 64),
        send_id=_matching(_SEND, tags.get(SEND_TAG), 32),
        origin=_matching(_ORIGIN, tags.get(ORIGIN_TAG), 80),
        bounce_type=_word(bounce.get("type"), 16),
        bounce_sub_type=_word(bounce.get("subType"), 32),
        status_codes=_status_codes(bounce),
        detail=_detail(data),
        address=address if kind in NAMING else None,
        domain=None if address is None else address.rpartition("@")[2],
        link=_link(_mapping(data.get("click")).get("link")),
    )


def of_the_list(row: Mapping[str, Any], now: datetime) -> list[Report]:
    """Read what the list of emails says last of one: when, it does not say."""
    identity, last = _matching(_VISIBLE, row.get("id"), 64), _word(row.get("last_event"), 48)
    if identity is None or last is None:
        return []
    data = {"email_id": identity, "to": row.get("to")}
    # What is opened, clicked or complained about has been delivered.
    told = (["delivered"] if last in ("opened", "clicked", "complained") else []) + [last]
    return [report(f"list:{identity}:{word}", {"type": f"email.{word}", "data": data}, now) for word in told]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _word(value: object, longest: int) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return "".join(letter if " " <= letter <= "~" else "?" for letter in value[:longest])


def _matching(pattern: re.Pattern[str], value: object, longest: int) -> str | None:
    fits = isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value)
    return value if fits and isinstance(value, str) else None


def _address(data: Mapping[str, Any]) -> str | None:
    """Return the one address that an event is about; of several recipients it does not say which it is."""
    to = data.get("to")
    texts = to if isinstance(to, list) else [to if to is not None else data.get("email")]
    if len(texts) != 1 or not isinstance(texts[0], str):
        return None
    with suppress(ValueError):
        # Resend, 2026-11: a recipient may come back with its name, as it was sent.
        return bare_address(texts[0].rpartition("<")[2].rstrip("> "))
    return None


def _status_codes(bounce: Mapping[str, Any]) -> str:
    """List the enhanced status codes of a bounce, as many as fit."""
    # Resend, 2026-11: a list by its OpenAPI file, a text by its SDK.
    told = bounce.get("diagnosticCode")
    texts = [text for text in (told if isinstance(told, list) else [told]) if isinstance(text, str)]
    codes = [code for text in texts for code in _STATUS.findall(text[:2_000])]
    if not codes and isinstance(message := bounce.get("message"), str):
        codes = _STATUS.findall(message[:2_000])
    kept = ""
    for code in dict.fromkeys(codes):
        if len(kept) + len(code) < LONGEST_CODES:
            kept = f"{kept} {code}".strip()
    return kept


def _detail(data: Mapping[str, Any]) -> str | None:
    """Say why an email failed or was not sent, or how an address came onto the list."""
    reason = _mapping(data.get("failed")).get("reason") or _mapping(data.get("suppressed")).get("type")
    return _word(reason or data.get("origin"), 64)


def _link(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    with suppress(ValueError):
        split = urlsplit(value)
        # Without a user and a password, too.
        bare = urlunsplit((split.scheme, split.netloc.rpartition("@")[2], split.path, "", ""))
        return _word(bare, 500)
    return None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    with suppress(ValueError, OverflowError):
        at = moment(value)
        return at if at >= EARLIEST else None
    return None
