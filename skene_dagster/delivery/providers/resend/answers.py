"""What Resend's answers mean: every one is sorted into one of five, by its name, then by its status."""

import re
from collections.abc import Mapping
from typing import Protocol

from skene_dagster.delivery.providers.base import Accepted, Answer, Fatal, RateLimit, Refused, Throttled, Unknown

_HOUR = 3600.0
_ADDRESS = re.compile(r"[^\s<>\"'`,;:]+@[^\s<>\"'`,;:]+")

NO_RIGHT = frozenset({"restricted_api_key", "invalid_permission"})
"""Answers to a key that may only send."""

# Answers that hold for the whole batch and every other one: sending on would only refuse everybody.
_FATAL_NAMES = frozenset(
    {
        "missing_api_key",
        "restricted_api_key",
        "invalid_api_key",
        "suspended_api_key",
        "invalid_permission",
        "invalid_from_address",
        "invalid_idempotency_key",
        "security_error",
        "not_found",
        "method_not_allowed",
    }
)
_FATAL_STATUS = frozenset({401, 403, 404, 405, 451})
# Not the API, but something before it, or a request that was cut off: neither says what became of the batch.
_UNKNOWN_STATUS = frozenset({407, 408, 421, 425, 499})


class Error(Protocol):
    """The SDK's error."""

    code: int | str
    error_type: str
    message: str
    headers: dict[str, str]


def accepted(answer: object, count: int) -> Answer:
    """Read the ids of an answer to a batch of so many emails."""
    ids = ids_in(answer)
    if len(ids) != count or len(set(ids)) != count:
        return Unknown(f"Resend accepted, but named {len(ids)} ids for {count} emails", answered=bool(ids))
    return Accepted(ids)


def ids_in(answer: object) -> tuple[str, ...]:
    """Read the ids in the answer to a batch, in its order."""
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    ids = [row.get("id") for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return tuple(identity for identity in ids if isinstance(identity, str) and identity)


def sort(error: Error) -> Answer:
    """Sort an error."""
    name = str(error.error_type)
    status = int(error.code) if str(error.code).isdigit() else 0
    reason = shown(f"{status} {name}: {error.message}")
    if name == "HttpClientError":
        return Unknown(shown(f"no answer: {error.message}"))
    if not 400 <= status < 500 or status in _UNKNOWN_STATUS:
        return Unknown(reason)
    if status == 429:
        return Throttled(_patience(name, error.headers), reason)
    if name in _FATAL_NAMES or status in _FATAL_STATUS:
        # Resend, 2026-11: 403 validation_error is a sender domain that is not verified, or a test account.
        return Fatal(reason)
    if status == 413:
        # Also as text, from something on the way: who does not take a request in passes nothing of it on.
        return Refused(reason)
    if name == "application_error":
        # Resend SDK 2.52, 2026-11: `application_error` with a status below 500 is an answer that was no JSON,
        # so it came from something on the way.
        return Unknown(reason)
    if name == "invalid_idempotent_request":
        # The key was used for another payload, which may have gone out.
        return Unknown(reason, answered=True)
    if status == 409:
        # `concurrent_idempotent_requests`, `resource_locked`, and whatever else holds up this batch alone.
        return Throttled(_seconds(error.headers, 5.0), reason, everybody=False)
    # Resend, 2026-11: a strict batch is refused as a whole, and the answer does not say which email is the bad one.
    return Refused(reason)


def refuses(status: object) -> bool:
    """Whether an answer of this status says that nothing was accepted."""
    return isinstance(status, int) and 400 <= status < 500 and status not in _UNKNOWN_STATUS


def ends_a_key(status: object) -> bool:
    """Whether an answer of this status refuses the emails themselves: their key is not used after it."""
    return status in {400, 422}


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """Read the `ratelimit-*` headers; None where they say no limit."""
    lower = _lower(headers)
    policy = re.match(r"\s*(\d{1,9})\s*;\s*w=(\d{1,9})", lower.get("ratelimit-policy", ""))
    limit, window = (int(policy[1]), int(policy[2])) if policy else (_whole(lower.get("ratelimit-limit")), 1)
    if not limit or not window:
        return None
    return RateLimit(limit / window, _whole(lower.get("ratelimit-remaining")), _number(lower.get("ratelimit-reset"), 1))


def shown(text: str) -> str:
    """Make a reason that can be logged: one line, without addresses."""
    return _ADDRESS.sub("<address>", " ".join(text.split()))[:300]


def _patience(name: str, headers: Mapping[str, str]) -> float:
    # Resend, 2026-11: `retry-after` on an exhausted quota is that of the rate limit; the quota's own end is not told.
    if name == "daily_quota_exceeded":
        return max(_HOUR, _seconds(headers, _HOUR))
    if name == "monthly_quota_exceeded":
        return max(6 * _HOUR, _seconds(headers, 6 * _HOUR))
    return _seconds(headers, 1.0)


def _seconds(headers: Mapping[str, str], otherwise: float) -> float:
    """Read how long to wait, in seconds, between 0.1 s and a day."""
    lower = _lower(headers)
    for name in ("retry-after", "ratelimit-reset"):
        told = _number(lower.get(name), -1.0)
        if told >= 0:
            return min(max(told, 0.1), 24 * _HOUR)
    return otherwise


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _number(text: str | None, otherwise: float) -> float:
    text = (text or "").strip()
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else otherwise


def _whole(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None
