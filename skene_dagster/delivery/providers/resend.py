"""Resend, through its official SDK: batches under an idempotency key, and every answer sorted into one of five."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
import resend
from resend.exceptions import ResendError

from skene_dagster.delivery.message import Message
from skene_dagster.delivery.providers.base import Accepted, Answer, Fatal, Refused, Throttled, Unknown, check_call
from skene_dagster.errors import SettingsError

BASE_URL = "https://api.resend.com"

_HOUR = 3600.0
_ADDRESS = re.compile(r"[^\s<>\"'`,;:]+@[^\s<>\"'`,;:]+")

# Resend SDK 2.52, 2026-11: the key, the address and the transport are module globals, read when a call is made.
_sdk = threading.Lock()


class ResendProvider:
    """Sends through api.resend.com, over connections that are kept; one provider serves one thread at a time.

    Args:
        api_key: `re_…`.
        base_url: https, or http to this machine.
        timeout: seconds to connect, and to wait for each part of the answer.

    Raises:
        SettingsError: for a key or an address that could never work.
    """

    name: ClassVar[str] = "resend"
    batch_limit: ClassVar[int] = 100

    def __init__(self, api_key: str, base_url: str = BASE_URL, timeout: tuple[float, float] = (5.0, 30.0)) -> None:
        # The SDK reports a header that cannot be sent as a network error of status 500: it would be tried for ever.
        if re.fullmatch(r"[!-~]+", api_key) is None:
            raise SettingsError("RESEND_API_KEY is not a key.", advice="Copy it again, without spaces and quotes.")
        url = urlsplit(base_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in {"127.0.0.1", "localhost"}):
            raise SettingsError(f"{base_url!r} is no address to send a key to.", advice="Use https://.")
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._client = _PooledClient(timeout)

    def send_batch(self, messages: Sequence[Message], key: str) -> Answer:
        """Post the messages as one batch; see `Provider`.

        Raises:
            ValueError: for a key or a number of messages that no provider takes.
        """
        check_call(messages, key, self.batch_limit)
        payload: list[Any] = [_params(message) for message in messages]
        with self._as_the_sdk_wants_it():
            try:
                answer = resend.Batch.send(payload, {"idempotency_key": key, "batch_validation": "strict"})
            except ResendError as error:
                return _sort(error)
            except Exception as error:  # noqa: BLE001 - the request may have arrived, whatever went wrong after it
                return Unknown(_shown(f"the answer could not be read: {type(error).__name__}"))
        return _accepted(answer, len(messages))

    def close(self) -> None:
        """Close the kept connections; the next batch opens one again."""
        self._client.close()

    @contextmanager
    def _as_the_sdk_wants_it(self) -> Iterator[None]:
        with _sdk:
            before = resend.api_key, resend.api_url, resend.default_http_client
            resend.api_key, resend.api_url, resend.default_http_client = self._api_key, self._base_url, self._client
            try:
                yield
            finally:
                resend.api_key, resend.api_url, resend.default_http_client = before


class _PooledClient(resend.HTTPClient):
    """Keeps connections open between calls; the SDK's own client opens one per call and waits 30 s to connect."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        # requests, 2026-11: a line for the host in ~/.netrc replaces the Bearer header, proxies come from the
        # environment. Neither may happen to an API key.
        self._session.trust_env = False

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        response = self._session.request(
            method,
            url,
            headers=headers,
            json=json,
            files=files,
            data=data,
            timeout=self._timeout,
            allow_redirects=False,
        )
        return response.content, response.status_code, response.headers

    def close(self) -> None:
        self._session.close()


def _params(message: Message) -> dict[str, object]:
    params: dict[str, object] = {
        "from": message.sender,
        "to": [message.to],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": dict(message.headers),
        "tags": [{"name": name, "value": value} for name, value in message.tags],
    }
    if message.reply_to is not None:
        params["reply_to"] = message.reply_to
    return params


def _accepted(answer: object, count: int) -> Answer:
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    ids = [row.get("id") for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    named = tuple(identity for identity in ids if isinstance(identity, str) and identity)
    if len(named) != count or len(set(named)) != count:
        return Unknown(f"Resend accepted, but named {len(named)} ids for {count} emails")
    return Accepted(named)


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


def _sort(error: ResendError) -> Answer:
    """Sort an error by its name, then by its status."""
    name = str(error.error_type)
    status = int(error.code) if str(error.code).isdigit() else 0
    reason = _shown(f"{status} {name}: {error.message}")
    if name == "HttpClientError":
        return Unknown(_shown(f"no answer: {error.message}"))
    if not 400 <= status < 500 or status in _UNKNOWN_STATUS:
        return Unknown(reason)
    if name == "invalid_idempotent_request":
        # The key was used for another payload, which may have gone out.
        return Unknown(reason)
    if name in {"concurrent_idempotent_requests", "resource_locked"}:
        return Throttled(_seconds(error.headers, 5.0), reason)
    if status == 429:
        return Throttled(_patience(name, error.headers), reason)
    if name in _FATAL_NAMES or status in _FATAL_STATUS:
        # Resend, 2026-11: 403 validation_error is a sender domain that is not verified, or a test account.
        return Fatal(reason)
    if status == 409 or name == "application_error":
        # Resend SDK 2.52, 2026-11: `application_error` with a status below 500 is an answer that was no JSON,
        # so it came from something on the way.
        return Unknown(reason)
    # Resend, 2026-11: a strict batch is refused as a whole, and the answer does not say which email is the bad one.
    return Refused(reason)


def _patience(name: str, headers: Mapping[str, str]) -> float:
    # Resend, 2026-11: `retry-after` on an exhausted quota is that of the rate limit; the quota's own end is not told.
    if name == "daily_quota_exceeded":
        return max(_HOUR, _seconds(headers, _HOUR))
    if name == "monthly_quota_exceeded":
        return max(6 * _HOUR, _seconds(headers, 6 * _HOUR))
    return _seconds(headers, 1.0)


def _seconds(headers: Mapping[str, str], otherwise: float) -> float:
    """Read how long to wait, in seconds, between 0.1 s and a day."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name in ("retry-after", "ratelimit-reset"):
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", lower.get(name, "").strip()):
            return min(max(float(lower[name]), 0.1), 24 * _HOUR)
    return otherwise


def _shown(text: str) -> str:
    """Make a reason that can be logged: one line, without addresses."""
    return _ADDRESS.sub("<address>", " ".join(text.split()))[:300]
