"""Events as Resend posts them, signed as it signs them (the scheme of Svix, computed here)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from resend.webhooks._webhook import WebhookEvent

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret, as long..").decode()

TYPES: tuple[str, ...] = get_args(WebhookEvent)
"""Every type that the SDK knows."""

EXTRA: Mapping[str, Mapping[str, Any]] = {
    "email.bounced": {
        "bounce": {
            "type": "Permanent",
            "subType": "General",
            "message": "The recipient's mail server said no.",
            "diagnosticCode": ["smtp; 550 5.1.1 user unknown (192.0.2.1)"],
        }
    },
    "email.clicked": {
        "click": {
            "ipAddress": "192.0.2.1",
            "link": "https://user:pw@example.com/start?who=ada@example.com#top",
            "timestamp": "2026-03-02T09:00:00.000Z",
            "userAgent": "A browser",
        }
    },
    "email.failed": {"failed": {"reason": "reached_daily_quota"}},
    "email.suppressed": {"suppressed": {"message": "It is on the list.", "type": "OnAccountSuppressionList"}},
}
"""What the events of a type have beside what all have."""


def event(type_: str, at: datetime, *, to: object = "u1@example.com", **data: object) -> dict[str, Any]:
    """Make an event of an email, or of an address of the account's list.

    Args:
        at: when it happened.
        data: `email_id`, `tags` and other fields.
    """
    made: dict[str, Any] = {"created_at": "2026-03-01 00:00:00.000+00", "subject": "Hello"}
    if type_.startswith("email."):
        made |= {"email_id": "an-email", "from": "Acme <hello@example.com>", "to": [to] if isinstance(to, str) else to}
        made |= {"message_id": "<1@example.com>", **EXTRA.get(type_, {})}
    elif type_.startswith("suppression."):
        made |= {"id": "an entry", "email": to, "origin": "bounce"}
    return {"type": type_, "created_at": f"{at.isoformat(timespec='milliseconds')}Z", "data": made | data}


def posted(
    told: object,
    event_id: str = "msg_1",
    *,
    secret: str = SECRET,
    at: float | None = None,
    signs: bytes | None = None,
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a post.

    Args:
        at: the seconds since 1970 that it says it was posted at; now.
        signs: the body that is signed, where it is another.
    """
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    stamp = str(int(time.time() if at is None else at))
    signature = sign(secret, event_id, stamp, body if signs is None else signs)
    return body, {"svix-id": event_id, "svix-timestamp": stamp, "svix-signature": f"v1,{signature}"}


def sign(secret: str, event_id: str, stamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, f"{event_id}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
