"""What api.resend.com does, as far as this project calls it: state and rules, without a network.

`resend.md`'s contract: one idempotency key covers a batch for 24 hours; the same key with another payload is 409; the
list of emails has no tags; the log of requests has the bodies.
"""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON = {"Content-Type": "application/json; charset=utf-8"}
KEY_LIVES = timedelta(hours=24)


@dataclass(frozen=True)
class Scripted:
    """One answer in place of the usual one. Without a status the connection is closed, or kept silent."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    silent: bool = False
    accepts: bool = False
    """The batch is accepted all the same, before this answer is given."""


def refusal(status: int, name: str, message: str = "No.", **headers: str) -> Scripted:
    """Answer as the API refuses."""
    body = json.dumps({"statusCode": status, "name": name, "message": message}).encode()
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, body, {**JSON, **extra})


FAULTS: Mapping[str, Scripted] = {
    "error_before": refusal(500, "internal_server_error"),
    "error_after": Scripted(500, b'{"name": "internal_server_error", "message": "Oh."}', accepts=True),
    "drop_before": Scripted(None),
    "drop_after": Scripted(None, accepts=True),
    "html_after": Scripted(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}, accepts=True),
    "throttle": refusal(429, "rate_limit_exceeded", retry_after="0.2"),
}
"""What a server may do wrong at a rate."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    client: tuple[str, int]

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


@dataclass
class Api:
    script: list[Scripted] = field(default_factory=list)
    """What to do at the next POSTs of a batch; afterwards `rates`, and then the usual."""
    reads: list[Scripted] = field(default_factory=list)
    """What to answer to the next GETs; afterwards the records."""
    rates: dict[str, float] = field(default_factory=dict)
    """How often each of FAULTS happens."""
    draw: random.Random = field(default_factory=lambda: random.Random(0))
    per_second: int | None = None
    """Calls that are allowed in each second of the clock; None for any number."""
    quota: int | None = None
    """Emails that are still accepted before the daily quota is used up; None for any number."""
    may_read: bool = True
    """Whether the key may read records, or only send."""
    clock: Callable[[], datetime] = _now
    requests: list[Request] = field(default_factory=list)
    emails: list[dict[str, Any]] = field(default_factory=list)
    """What was accepted: the email as it came, with `id`, `created_at` and `key`."""
    log: list[dict[str, Any]] = field(default_factory=list)
    _answered: dict[str, tuple[datetime, Any, bytes]] = field(default_factory=dict)
    _windows: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """The emails as they came."""
        ours = {"id", "created_at", "key"}
        return [{name: value for name, value in email.items() if name not in ours} for email in self.emails]

    def answer(self, request: Request) -> Scripted:
        with self._lock:
            self.requests.append(request)
            limited = self._limited()
            if limited is not None:
                return limited
            if request.method == "GET":
                return self._read(request)
            return self._post(request)

    def limits(self) -> dict[str, str]:
        """The `ratelimit-*` headers of an answer."""
        if self.per_second is None:
            return {}
        left = max(0, self.per_second - self._windows.get(int(time.time()), 0))
        return {
            "ratelimit-limit": str(self.per_second),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": "1",
            "ratelimit-policy": f"{self.per_second};w=1",
        }

    def _limited(self) -> Scripted | None:
        if self.per_second is None:
            return None
        second = int(time.time())
        self._windows[second] = self._windows.get(second, 0) + 1
        if self._windows[second] <= self.per_second:
            return None
        return refusal(429, "rate_limit_exceeded", retry_after="1")

    def _post(self, request: Request) -> Scripted:
        key = request.headers["Idempotency-Key"]
        fault = self.script.pop(0) if self.script else self._fault()
        usual = self._usual(key, request) if fault is None or fault.accepts else fault
        given = usual if fault is None else fault
        self.log.append(
            {
                "id": str(uuid.uuid4()),
                "created_at": self._said(),
                "endpoint": request.path,
                "method": "POST",
                "response_status": given.status or usual.status or 0,
                "request_body": request.raw,
                "response_body": usual.body,
            }
        )
        return given

    def _fault(self) -> Scripted | None:
        for name, rate in self.rates.items():
            if self.draw.random() < rate:
                return FAULTS[name]
        return None

    def _usual(self, key: str, request: Request) -> Scripted:
        """Accept a batch once per key; refuse another one under the same key."""
        known = self._answered.get(key)
        if known is not None and self.clock() - known[0] < KEY_LIVES:
            return Scripted(200, known[2]) if known[1] == request.raw else refusal(409, "invalid_idempotent_request")
        emails = request.body
        if self.quota is not None and len(emails) > self.quota:
            return refusal(429, "daily_quota_exceeded")
        self.quota = None if self.quota is None else self.quota - len(emails)
        ids = [str(uuid.uuid4()) for _ in emails]
        body = json.dumps({"data": [{"id": identity} for identity in ids]}).encode()
        self._answered[key] = (self.clock(), request.raw, body)
        at = self._said()
        self.emails += [
            {**email, "id": identity, "created_at": at, "key": key} for email, identity in zip(emails, ids, strict=True)
        ]
        return Scripted(200, body)

    def _read(self, request: Request) -> Scripted:
        if self.reads:
            return self.reads.pop(0)
        if not self.may_read:
            return refusal(401, "restricted_api_key", "This API key is restricted to only send emails")
        url = urlsplit(request.path)
        match url.path.strip("/").split("/"):
            case ["emails"]:
                shown = [{k: v for k, v in email.items() if k not in {"html", "text", "tags"}} for email in self.emails]
                return self._page(shown, url.query)
            case ["logs"]:
                shown = [{k: v for k, v in row.items() if not k.endswith("body")} for row in self.log]
                return self._page(shown, url.query)
            case ["emails" | "logs" as kind, identity]:
                rows = self.emails if kind == "emails" else self.log
                found = next((row for row in rows if row["id"] == identity), None)
                return refusal(404, "not_found") if found is None else _ok(_whole(found))
            case _:
                return refusal(404, "not_found")

    def _page(self, rows: list[dict[str, Any]], query: str) -> Scripted:
        newest = rows[::-1]
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        start = 0
        if "after" in asked:
            start = next(n for n, row in enumerate(newest) if row["id"] == asked["after"]) + 1
        size = int(asked.get("limit", "20"))
        page = newest[start : start + size]
        return _ok({"object": "list", "has_more": start + size < len(newest), "data": page})

    def _said(self) -> str:
        return f"{self.clock():%Y-%m-%d %H:%M:%S.%f}+00"


def _ok(body: object) -> Scripted:
    return Scripted(200, json.dumps(body).encode())


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(value or b"null") if isinstance(value, bytes) else value for name, value in row.items()}
