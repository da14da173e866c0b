"""Resend's own records, asked what became of a batch: its log of requests, then its list of emails.

One row of the log proves a whole batch, with its ids. The list knows emails one by one, and their tags only one by
one. Neither can be filtered; both are read newest first until they reach back past the first attempt. Only a list
that does reach back proves that something is absent, and only if it shows something newer of ours than the attempt in
question: neither how long Resend keeps its records nor how soon it has them is documented.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from skene_dagster.delivery.email.message import ORIGIN_TAG, SEND_TAG, Frozen
from skene_dagster.delivery.providers.base import Absent, Denied, Finding, Found, Sent, Unprovable
from skene_dagster.delivery.providers.json_emails import messages_of
from skene_dagster.delivery.providers.resend.answers import ends_a_key, ids_in, refuses

SKEW = timedelta(minutes=2)
"""How far Resend's clock and the database's may lie apart."""

PAGES = 200
"""Pages of 100 rows that are read at most."""

LOOKS = 20
"""Emails of others that are looked into for a newer one of ours."""

NOT_AS_NEW = "it shows no later request of ours, so it may not be up to date"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """What the log keeps of a request for a batch: whose emails it had, of which ledger, and what they are called."""

    send_ids: tuple[str, ...]
    """Empty where its body cannot be read."""
    ledger: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Records:
    """The four questions that Resend answers; each raises Denied."""

    logs: Callable[[Any], Record]
    log: Callable[[str], Record]
    emails: Callable[[Any], Record]
    email: Callable[[str], Record]
    requests: dict[str, Request]
    """What was read of the log before: a request that was answered does not change."""

    def find(self, batch: Frozen, since: datetime, until: datetime) -> Finding:
        """Find a batch by the tags of its emails, whenever it was accepted after `since`.

        Args:
            until: the attempt in question; records prove its absence that show something newer of this ledger's.
        """
        unclear = []
        for read in (self._in_the_log, self._in_the_list):
            try:
                found = read(batch, since - SKEW, until + SKEW)
            except Denied as denied:
                found = Unprovable(str(denied))
            if not isinstance(found, Unprovable):
                return found
            unclear.append(found.reason)
        return Unprovable("; ".join(dict.fromkeys(unclear)))

    def sent(self, since: datetime | None, most: int) -> Iterator[Sent]:
        """List what was accepted since a moment, the newest first; by the log, else by the list.

        Raises:
            Denied: neither record could be read, or reaches back as far.
        """
        try:
            yield from self._sent_by_the_log(since, most)
        except Denied:
            yield from self._sent_by_the_list(since, most)

    def _sent_by_the_log(self, since: datetime | None, most: int) -> Iterator[Sent]:
        for row, at in _newest_first(self.logs):
            if since is not None and at < since:
                return
            if not _is_a_batch(row) or refuses(row.get("response_status")):
                continue
            most = _one_less(most)
            whole = self.log(str(row.get("id")))
            emails, ids = _decoded(whole.get("request_body")), ids_in(_decoded(whole.get("response_body")))
            if not isinstance(emails, list) or len(emails) != len(ids):
                raise Denied("the log has a request of which it cannot be told what was accepted")
            for email, identity in zip(emails, ids, strict=True):
                yield _sent(identity, at, email)
        if since is not None:
            raise Denied(f"the log does not reach back to {since:%d %b %Y, %H:%M} UTC")

    def _sent_by_the_list(self, since: datetime | None, most: int) -> Iterator[Sent]:
        for row, at in _newest_first(self.emails):
            if since is not None and at < since:
                return
            most = _one_less(most)
            yield _sent(str(row.get("id")), at, self.email(str(row.get("id"))))
        if since is not None:
            raise Denied(f"the list of emails does not reach back to {since:%d %b %Y, %H:%M} UTC")

    def _in_the_log(self, batch: Frozen, since: datetime, newer: datetime) -> Finding:
        ledger = _ledger(batch)
        is_unclear = is_new = False
        for row, at in _newest_first(self.logs):
            if at < since:
                if is_unclear:
                    return Unprovable("the log has a request of ours without a clear answer")
                return Absent() if is_new else Unprovable(f"the log: {NOT_AS_NEW}")
            status = row.get("response_status")
            is_refused, is_last = refuses(status), ends_a_key(status)
            # What was refused accepted nothing: it only tells how new the log is.
            if not _is_a_batch(row) or (is_refused and (is_new or not (is_last or at > newer))):
                continue
            request = self._request(row)
            is_itself = request.send_ids == batch.send_ids
            # Its own refusal came after all its attempts, by whatever clock.
            is_new = is_new or (is_itself and is_last) or (at > newer and request.ledger == ledger != "")
            if is_refused or (request.send_ids and set(batch.send_ids).isdisjoint(request.send_ids)):
                continue
            if is_itself and len(request.ids) == len(batch.send_ids):
                return Found(request.ids)
            # It may be ours: a body this large need not be kept whole, or for ever.
            is_unclear = True
        return Unprovable("the log does not reach back to the first attempt")

    def _request(self, row: Record) -> Request:
        identity = str(row.get("id"))
        if identity not in self.requests:
            whole = self.log(identity)
            emails = _decoded(whole.get("request_body"))
            emails = emails if isinstance(emails, list) else []
            tags = [email.get("tags") for email in emails if isinstance(email, Mapping)]
            request = Request(
                tuple(_tag(one) for one in tags),
                _ledger_of(next((origin for one in tags if (origin := _tag(one, ORIGIN_TAG))), "")),
                ids_in(_decoded(whole.get("response_body"))),
            )
            if not request.ids and not refuses(row.get("response_status")):
                return request  # perhaps it is not answered yet
            self.requests[identity] = request
        return self.requests[identity]

    def _in_the_list(self, batch: Frozen, since: datetime, newer: datetime) -> Finding:
        places = {send_id: place for place, send_id in enumerate(batch.send_ids)}
        own, ledger = _origin(batch), _ledger(batch)
        # By the address alone: a subject, and the case of an address, may come back changed, and what is not
        # recognised would count as absent.
        addresses = {message.to.casefold() for message in messages_of(batch)}
        ids: list[str | None] = [None] * len(places)
        reaches_back = is_new = is_in_parts = False
        looks = LOOKS
        for row, at in _newest_first(self.emails):
            if at < since:
                reaches_back = True
                break
            to = _recipients(row)
            if to and addresses.isdisjoint(to):
                if is_new or at <= newer or not looks:
                    continue
                looks -= 1
            # Resend, 2026-11: the list has no tags; only the single email does.
            tags = self.email(str(row.get("id"))).get("tags")
            is_new = is_new or (at > newer and _ledger_of(_tag(tags, ORIGIN_TAG)) == ledger != "")
            place = places.get(_tag(tags))
            if place is not None:
                is_in_parts = is_in_parts or _tag(tags, ORIGIN_TAG) not in ("", own)
                ids[place] = str(row.get("id"))
                if None not in ids:
                    break
        if is_in_parts and None in ids:
            # After a restore: the ledger that is gone made the batch anew, perhaps without some of its emails.
            return Unprovable("the list of emails shows a part of the batch that was sent under another key")
        if any(ids):
            return Found(tuple(ids))
        if not reaches_back:
            return Unprovable("the list of emails does not reach back to the first attempt")
        return Absent() if is_new else Unprovable(f"the list of emails: {NOT_AS_NEW}")


def _recipients(row: Record) -> list[str]:
    """List the bare addresses of an email of the list, in small letters; nothing where it does not say."""
    to = row.get("to")
    texts = to if isinstance(to, list) else [to] if isinstance(to, str) else []
    return [str(text).rpartition("<")[2].strip("> \t").casefold() for text in texts]


def _one_less(most: int) -> int:
    if not most:
        raise Denied("the records are too many")
    return most - 1


def _sent(identity: str, at: datetime, email: object) -> Sent:
    tags = email.get("tags") if isinstance(email, Mapping) else None
    return Sent(identity, at, _tag(tags), _tag(tags, ORIGIN_TAG))


def _newest_first(ask: Callable[[Any], Record]) -> Iterator[tuple[Record, datetime]]:
    """Read a list page by page, the newest row first.

    Raises:
        Denied: it cannot be read, is not in that order, or is too long.
    """
    params: dict[str, object] = {"limit": 100}
    newest = datetime.max.replace(tzinfo=timezone.utc)
    for _ in range(PAGES):
        page = ask(params)
        rows = page.get("data")
        if not isinstance(rows, list):
            raise Denied("the records are not a list")
        # Resend's emulator lists the oldest first, and all at once.
        ordered = rows if page.get("has_more") else sorted(rows, key=moment, reverse=True)
        for row in ordered:
            at = moment(row)
            if at - SKEW > newest:
                raise Denied("the records are not in the order of time")
            newest = at
            yield row, at.replace(tzinfo=None)
        if not page.get("has_more") or not rows:
            return
        params = {"limit": 100, "after": rows[-1].get("id")}
    raise Denied(f"the records of the time are more than {PAGES * 100:,}")


def moment(row: Record) -> datetime:
    """Read when a record was made, in UTC.

    Raises:
        Denied: it does not say.
    """
    text = str(row.get("created_at"))
    try:
        # Resend, 2026-11: `2026-11-24 09:00:00.123456+00` in lists, ISO 8601 elsewhere.
        text = text.replace(" ", "T").replace("Z", "+00:00")
        text = text + ":00" if text[-3:-2] in "+-" else text
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Denied("a record has no time") from None
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _decoded(body: object) -> object:
    """Read a body that the log gives as JSON or as its text; another text stays one."""
    if isinstance(body, str):
        with suppress(ValueError):
            return json.loads(body)
    return body


def _is_a_batch(row: Record) -> bool:
    return row.get("endpoint") == "/emails/batch" and row.get("method") == "POST"


def _ledger(batch: Frozen) -> str:
    """Name the ledger that the emails of a batch say they come from; empty where they do not say."""
    return _ledger_of(_origin(batch))


def _origin(batch: Frozen) -> str:
    return next(iter(dict(message.tags).get(ORIGIN_TAG, "") for message in messages_of(batch)), "")


def _ledger_of(origin: str) -> str:
    return origin.rpartition("-")[0]


def _tag(tags: object, name: str = SEND_TAG) -> str:
    """Read one of an email's tags: a list of name and value, or a mapping."""
    if isinstance(tags, Mapping):
        return str(tags.get(name, ""))
    rows = tags if isinstance(tags, list) else []
    return next((str(row.get("value")) for row in rows if isinstance(row, Mapping) and row.get("name") == name), "")
