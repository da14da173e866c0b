"""Resend's list of suppressions, as its SDK 2.52 calls it and its pages describe it (2026-11)."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, dict[str, Any]]

LONGEST_PAGE = 100


@dataclass
class Suppressed:
    entries: list[dict[str, Any]] = field(default_factory=list)
    """The oldest first; a page begins with the newest."""
    refuses: frozenset[str] = frozenset()
    """Addresses that it does not take, with the whole batch and without saying which."""
    pages: list[str | None] = field(default_factory=list)
    """Behind which entry each page began that was read."""

    def put(self, email: str, origin: str, at: datetime) -> str:
        """Put an address on the list, as a bounce does; return the entry's id."""
        email = email.strip().lower()
        known = self.find(email)
        if known is None:
            said = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
            known = {
                "object": "suppression",
                "id": str(uuid.uuid4()),
                "email": email,
                "origin": origin,
                "source_id": None if origin == "manual" else str(uuid.uuid4()),
                "created_at": said,
            }
            self.entries.append(known)
        return str(known["id"])

    def put_many(self, count: int, at: datetime, name: str = "user") -> list[str]:
        """Put so many addresses on the list that bounced, a second apart."""
        return [self.put(f"{name}-{n}@example.com", "bounce", at + timedelta(seconds=n)) for n in range(count)]

    def find(self, named: str) -> dict[str, Any] | None:
        named = named.lower()
        return next((one for one in self.entries if named in (one["id"], one["email"])), None)

    def answer(self, method: str, path: str, raw: bytes, now: datetime) -> Answer:
        url = urlsplit(path)
        match method, url.path.strip("/").split("/"):
            case "GET", [_]:
                return self._page({name: values[0] for name, values in parse_qs(url.query).items()})
            case "GET", [_, named]:
                found = self.find(unquote(named))
                return _NOT_THERE if found is None else (200, found)
            case "DELETE", [_, named]:
                gone = self._remove([unquote(named)])
                return (200, gone[0]) if gone else _NOT_THERE
            case "POST", [_]:
                return self._add([json.loads(raw)["email"]], now, batch=False)
            case "POST", [_, "batch", "add"]:
                return self._add(json.loads(raw)["emails"], now, batch=True)
            case "POST", [_, "batch", "remove"]:
                asked = json.loads(raw)
                return 200, {"data": self._remove(asked.get("emails") or asked["ids"])}
            case _:
                return 405, {"statusCode": 405, "name": "method_not_allowed", "message": "No."}

    def _page(self, asked: dict[str, str]) -> Answer:
        newest = [one for one in self.entries[::-1] if asked.get("origin") in (None, one["origin"])]
        self.pages.append(asked.get("after"))
        start = 0
        if "after" in asked:
            places = [n for n, one in enumerate(newest) if one["id"] == asked["after"]]
            if not places:
                return _NOT_THERE
            start = places[0] + 1
        size = int(asked.get("limit", "20"))
        if not 1 <= size <= LONGEST_PAGE:
            return _INVALID
        page = newest[start : start + size]
        return 200, {"object": "list", "has_more": start + size < len(newest), "data": page}

    def _add(self, emails: Sequence[str], now: datetime, *, batch: bool) -> Answer:
        if not 1 <= len(emails) <= LONGEST_PAGE or not all("@" in one and one not in self.refuses for one in emails):
            return _INVALID
        ids = dict.fromkeys(self.put(one, "manual", now) for one in emails)
        said = [{"object": "suppression", "id": one} for one in ids]
        return 200, {"data": said} if batch else said[0]

    def _remove(self, named: Sequence[str]) -> list[dict[str, Any]]:
        gone = [one for name in named if (one := self.find(name)) is not None]
        self.entries = [one for one in self.entries if one not in gone]
        return [{"object": "suppression", "id": one["id"], "deleted": True} for one in gone]


_NOT_THERE: Answer = (404, {"statusCode": 404, "name": "not_found", "message": "Suppression not found"})
_INVALID: Answer = (422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `emails` field."})
