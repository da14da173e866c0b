"""What api.resend.com does, as far as this project calls it: state and rules, without a network.

One idempotency key covers a batch for 24 hours; the same key with another payload is 409, and so is the same key while
its first request is still being worked on; a strict batch is accepted whole or not at all. The list of emails has no
tags; the log of requests has the bodies. Whatever a server does wrong can be asked for, at the next POST or at a rate.
"""

import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from resend_suppressions import Suppressed

JSON = {"Content-Type": "application/json; charset=utf-8"}
KEY_LIVES = timedelta(hours=24)


Wire = Literal["whole", "trickled", "endless", "stalled", "cut", "cut early", "unread"]
"""How an answer leaves: as it should, in twenty parts, in parts without end, half of it and then nothing, half of it
and then the end, or not even all of its headers. `unread`: the connection ends before the request was read.
"""


@dataclass(frozen=True)
class Scripted:
    """One answer in place of the usual one."""

    status: int | Literal["usual"] | None
    """None: the connection is closed without one. `usual`: what would have been answered, in another way."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    accepts: bool = False
    """The batch is accepted all the same, before this answer is given."""
    late: float = 0.0
    """Seconds until it is given. Meanwhile its key is being worked on."""
    works_on: float = 0.0
    """Seconds that its key is being worked on after it was given."""
    wire: Wire = "whole"


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
    "unread": Scripted(None, wire="unread"),
    "late": Scripted("usual", late=0.3),
    "trickle": Scripted("usual", wire="trickled"),
    "cut_after": Scripted("usual", wire="cut"),
    "busy_after": Scripted(None, accepts=True, works_on=1.0),
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
    strict: bool = True
    """Whether it does as `x-batch-validation: strict` says, or takes every batch as a permissive one."""
    domains: dict[str, str] = field(default_factory=lambda: {"example.com": "verified"})
    """The status of each of the account's domains."""
    refuses: frozenset[str] = frozenset()
    """Addresses that are refused, with the whole batch and without saying which."""
    may_read: bool = True
    """Whether the key may read records, or only send."""
    suppressed: Suppressed = field(default_factory=Suppressed)
    """The list of addresses to which it sends nothing."""
    clock: Callable[[], datetime] = _now
    requests: list[Request] = field(default_factory=list)
    emails: list[dict[str, Any]] = field(default_factory=list)
    """What was accepted: the email as it came, with `id`, `created_at` and `key`."""
    log: list[dict[str, Any]] = field(default_factory=list)
    _answered: dict[str, tuple[datetime, Any, bytes]] = field(default_factory=dict)
    _busy: dict[str, datetime] = field(default_factory=dict)
    """Until when a key is being worked on."""
    _windows: dict[datetime, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def posts(self) -> list[Request]:
        """The requests to send something."""
        return [request for request in self.requests if request.method == "POST"]

    def fault(self) -> Scripted | None:
        """Say what goes wrong at the next POST."""
        with self._lock:
            if self.script:
                return self.script.pop(0)
            return next((FAULTS[name] for name, rate in self.rates.items() if self.draw.random() < rate), None)

    @contextmanager
    def at_work(self, request: Request, fault: Scripted | None = None) -> Iterator[Scripted]:
        """Take a request and yield its answer; meanwhile its key is being worked on."""
        key = request.headers["Idempotency-Key"]
        with self._lock:
            self.requests.append(request)
            now = self.clock()
            is_busy = request.method == "POST" and now < self._busy.get(key, now)
            answer = self._answer(request, fault, is_busy=is_busy)
            if not is_busy:
                self._busy[key] = now + KEY_LIVES
        yield answer
        if not is_busy:
            with self._lock:
                self._busy[key] = self.clock() + timedelta(seconds=answer.works_on)

    def limits(self) -> dict[str, str]:
        """The `ratelimit-*` headers of an answer."""
        if self.per_second is None:
            return {}
        left = max(0, self.per_second - self._windows.get(self._second(), 0))
        return {
            "ratelimit-limit": str(self.per_second),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": "1",
            "ratelimit-policy": f"{self.per_second};w=1",
        }

    def _limited(self) -> Scripted | None:
        if self.per_second is None:
            return None
        second = self._second()
        self._windows[second] = self._windows.get(second, 0) + 1
        if self._windows[second] <= self.per_second:
            return None
        return refusal(429, "rate_limit_exceeded", retry_after="1")

    def _second(self) -> datetime:
        return self.clock().replace(microsecond=0)

    def _answer(self, request: Request, fault: Scripted | None, *, is_busy: bool) -> Scripted:
        limited = self._limited()
        if limited is not None:
            return limited
        if urlsplit(request.path).path.startswith("/suppressions"):
            return self._suppressions(request, fault)
        if request.method == "GET":
            return self._read(request)
        return self._post(request, refusal(409, "concurrent_idempotent_requests") if is_busy else fault)

    def _suppressions(self, request: Request, fault: Scripted | None) -> Scripted:
        """Read or change the list; what goes wrong is asked for as elsewhere."""
        if request.method == "GET" and self.reads:
            return self.reads.pop(0)
        if not self.may_read:
            return refusal(401, "restricted_api_key", "This API key is restricted to only send emails")
        if fault is not None and not fault.accepts and fault.status != "usual":
            return fault
        status, said = self.suppressed.answer(request.method, request.path, request.raw, self.clock())
        usual = Scripted(status, json.dumps(said).encode())
        if fault is None:
            return usual
        return fault if fault.status != "usual" else replace(fault, status=usual.status, body=usual.body)

    def _post(self, request: Request, fault: Scripted | None) -> Scripted:
        usual = self._usual(request) if fault is None or fault.accepts or fault.status == "usual" else fault
        match fault:
            case None:
                given = usual
            case Scripted(status="usual"):
                given = replace(fault, status=usual.status, body=usual.body, headers=usual.headers)
            case _:
                given = fault
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

    def _usual(self, request: Request) -> Scripted:
        """Accept a batch once per key; refuse another one under the same key."""
        key = request.headers["Idempotency-Key"]
        known = self._answered.get(key)
        if known is not None and self.clock() - known[0] < KEY_LIVES:
            return Scripted(200, known[2]) if known[1] == request.raw else refusal(409, "invalid_idempotent_request")
        return self._new(key, request)

    def _new(self, key: str, request: Request) -> Scripted:
        emails = request.body
        bad = {index: reason for index, email in enumerate(emails) if (reason := self._what_is_wrong(email))}
        is_strict = self.strict and request.headers.get("x-batch-validation", "strict") == "strict"
        if bad and is_strict:
            return refusal(422, "validation_error", next(iter(bad.values())))
        good = [email for index, email in enumerate(emails) if index not in bad]
        if self.quota is not None and len(good) > self.quota:
            return refusal(429, "daily_quota_exceeded")
        self.quota = None if self.quota is None else self.quota - len(good)
        ids = [str(uuid.uuid4()) for _ in good]
        said: dict[str, Any] = {"data": [{"id": identity} for identity in ids]}
        if not is_strict:
            said["errors"] = [{"index": index, "message": reason} for index, reason in bad.items()]
        body = json.dumps(said).encode()
        self._answered[key] = (self.clock(), request.raw, body)
        at = self._said()
        self.emails += [
            {**email, "id": identity, "created_at": at, "key": key} for email, identity in zip(good, ids, strict=True)
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
            case ["domains"]:
                return self._page(
                    [{"id": name, "name": name, "status": said} for name, said in self.domains.items()], ""
                )
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

    def _what_is_wrong(self, email: dict[str, Any]) -> str | None:
        for name in ("from", "to", "subject"):
            if not email.get(name):
                return f"Missing `{name}` field."
        to = [email["to"]] if isinstance(email["to"], str) else email["to"]
        if not all("@" in address for address in to) or not self.refuses.isdisjoint(to):
            return "Invalid `to` field. The email address needs to follow the `email@example.com` format."
        return None


def _ok(body: object) -> Scripted:
    return Scripted(200, json.dumps(body).encode())


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(value or b"null") if isinstance(value, bytes) else value for name, value in row.items()}
