"""POST /v1/track, /v1/batch and the others, as Segment's libraries send them.

200 means committed. After any other answer a client may send the same message again: it is stored once. Nothing that
was sent is logged.
"""

import base64
import binascii
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import compare_digest
from typing import Any, NoReturn, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skene_dagster.behaviour.events import Fitted, Journal
from skene_dagster.errors import EventRefused
from skene_dagster.store import schema
from skene_dagster.tracking.throttled_log import Kind
from skene_dagster.web.bodies import Share, read
from skene_dagster.web.commits import Commits
from skene_dagster.web.events.segment import Type, event_of
from skene_dagster.web.parts import Common, Part, Served
from skene_dagster.web.refusals import too_large, unknown_key, wrong

AWAY = "The database does not accept events now. Send them again, with the same messageId."

REFUSED = Kind(logging.WARNING, "Messages refused: {many}. The last one: {words}")

_SHOWN = 20
"""The most refused messages of a batch that the answer lists."""

_NAME = 64
"""Characters of a key that the answer repeats."""


@dataclass
class _Read:
    """What a request told."""

    fitted: list[Fitted]
    positions: list[int]
    """Of each fitted event among the messages."""
    ignored: int
    refused: dict[int, str]


def events_api(journal: Journal, *, write_key: str | None) -> Part:
    """Serve the events' paths over an opened journal, which is closed at the end.

    Args:
        write_key: what a client must present; None accepts everybody.
    """

    def begin(common: Common) -> Served:
        intake = _Intake(journal, write_key, common)
        return Served(
            routes=[
                *(Route(f"/v1/{type_}", intake.single(type_), methods=["POST"]) for type_ in get_args(Type)),
                Route("/v1/batch", intake.batch, methods=["POST"]),
            ],
            alive=intake.alive,
            is_ready=lambda: schema.is_ready(journal.engine),
        )

    return begin


class _Intake:
    def __init__(self, journal: Journal, write_key: str | None, common: Common) -> None:
        self._journal = journal
        self._write_key = None if write_key is None else write_key.encode()
        self._limits = common.limits
        self._budget = common.budget
        self._log = common.log
        self._commits: Commits[Fitted] | None = None

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        self._commits = Commits(self._journal.store, self._limits, self._log, away=AWAY)
        try:
            yield
        finally:
            await self._commits.close()
            self._log.tell(at_once=True)
            self._journal.close()

    def single(self, type_: Type) -> Callable[[Request], Awaitable[Response]]:
        """Return what takes one message of a type."""

        async def take(request: Request) -> Response:
            with self._budget.one() as share:
                body = await self._body(request, share, self._limits.message_bytes)
                return await self._answer(self._read([body], None, type_))

        return take

    async def batch(self, request: Request) -> Response:
        with self._budget.one() as share:
            body = await self._body(request, share, self._limits.batch_bytes)
            messages = body.get("batch")
            if not isinstance(messages, list):
                raise wrong("The body has no list 'batch'.")
            if len(messages) > self._limits.batch_messages:
                raise too_large(f"The batch has more than {self._limits.batch_messages} messages.")
            return await self._answer(self._read(messages, body.get("sentAt"), None))

    async def _body(self, request: Request, share: Share, limit: int) -> dict[str, Any]:
        """Read the body of a request that has the write key, in a header or in the body."""
        shown = request.headers.get("authorization")
        if shown is not None:
            self._check(_basic(shown))
        body = _parsed(await read(request, share, limit, self._limits.body_seconds))
        if shown is None:
            self._check(body.get("writeKey"))
        return body

    def _check(self, key: object) -> None:
        if self._write_key is None:
            return
        given = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else b""
        if not compare_digest(given, self._write_key):
            raise unknown_key()

    def _read(self, messages: list[object], sent_at: object, type_: Type | None) -> _Read:
        told = _Read([], [], 0, {})
        received = self._journal.now()
        for position, message in enumerate(messages):
            try:
                event = event_of(message, sent_at=sent_at, received=received, type_=type_)
                if event is None:
                    told.ignored += 1
                else:
                    told.fitted.append(self._journal.fit(event, received))
                    told.positions.append(position)
            except EventRefused as refused:
                told.refused[position] = str(refused)
        return told

    async def _answer(self, told: _Read) -> Response:
        """Commit the events, and list the refused messages; if all are refused, so is the request."""
        stored = len(told.fitted)
        if told.fitted:
            assert self._commits is not None
            for number, refused in (await self._commits.commit(told.fitted)).items():
                told.refused[told.positions[number]] = str(refused)
                stored -= 1
        said: dict[str, object] = {"success": True}
        if told.ignored:
            said["ignored"] = told.ignored
        if told.refused:
            why = next(iter(told.refused.values()))
            self._log.note(REFUSED, len(told.refused), why)
            self._log.tell()
            if not stored and not told.ignored:
                raise wrong(why)
            first = sorted(told.refused.items())[:_SHOWN]
            said["refused"] = [{"index": place, "message": why} for place, why in first]
        return JSONResponse(said)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        # A byte order mark, or UTF-16, which json would guess: RFC 8259 has neither.
        data = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise wrong(f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from None
    except UnicodeDecodeError:
        raise wrong("The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise wrong("The body is not readable JSON: it is nested too deeply.") from None
    except ValueError:
        raise wrong("The body is not readable JSON: it has a number with thousands of digits.") from None
    if not isinstance(data, dict):
        raise wrong("The body is not a JSON object.")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that appears twice in an object: json would take the last value, others the first."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(f"The body has the key {json.dumps(twice[:_NAME])} twice in one object.")
    return made


def _no_number(constant: str) -> NoReturn:
    raise wrong(f"The body is not JSON: {constant} is not a JSON number.")


def _basic(header: str) -> str | None:
    """Read the user of Basic authentication; None if it is another kind."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeError, ValueError):
        return None
