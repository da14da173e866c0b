"""GET /u/<token> shows a page and changes nothing, for scanners follow links; POST says what the recipient says.

The one click of RFC 8058 needs no cookie, is not redirected, and may be repeated.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skene_dagster.consent.preferences import Said
from skene_dagster.consent.spool.choices import Choices
from skene_dagster.consent.spool.spool import Spool, can_keep
from skene_dagster.consent.tokens import BadToken, Signer, Token
from skene_dagster.errors import SkeneError
from skene_dagster.settings import Settings
from skene_dagster.store.engine import reading
from skene_dagster.web.bodies import read
from skene_dagster.web.pages.forms import Chosen, OneClick, read_form
from skene_dagster.web.pages.hearing import Hearing, NotKept
from skene_dagster.web.pages.keyring import Keyring, are_there
from skene_dagster.web.pages.standing import Answers, Standing, answers_of, unknown
from skene_dagster.web.pages.standing import read as read_standing
from skene_dagster.web.pages.views import Views
from skene_dagster.web.parts import Common, Part, Served

PATH = "/u/"

LOOK_SECONDS = 2.0
"""For the database to say what holds of somebody; a page shows its choices without that, too."""

_AT_ONCE = 4
"""Reads of the database at a time, so that one that hangs holds up few threads."""

_ONE_CLICK = "one click in a mail program"
_PAGE = "unsubscribe page"


def pages(engine: Engine, signer: Signer, settings: Settings) -> Part:
    """Serve the pages; the engine stays open.

    Raises:
        TemplateError: a page of the project is wrong.
    """
    views = Views.of(settings)

    def begin(common: Common) -> Served:
        served = _Pages(engine, signer, settings, views, common)
        return Served(
            routes=[Route(PATH + "{token:path}", served.page, methods=["GET", "POST"])],
            alive=served.alive,
            # Where there is no database, what recipients say is kept on disk: nobody should be sent elsewhere then.
            is_ready=lambda: can_keep(settings.spool) or are_there(engine),
        )

    return begin


class _Pages:
    def __init__(self, engine: Engine, signer: Signer, settings: Settings, views: Views, common: Common) -> None:
        self._engine = engine
        self._signer = signer
        self._settings = settings
        self._views = views
        self._common = common
        self._hearing: Hearing | None = None
        self._keys: Keyring | None = None
        self._reads: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        self._keys = Keyring(self._engine, self._signer, self._settings.spool)
        self._hearing = Hearing(self._engine, Spool(self._settings.spool), self._common.log)
        self._reads = anyio.CapacityLimiter(_AT_ONCE)
        try:
            yield
        finally:
            await self._hearing.close()
            self._common.log.tell(at_once=True)

    async def page(self, request: Request) -> Response:
        assert self._keys is not None
        with self._common.budget.one() as share:
            limits = self._common.limits
            body = b""
            if request.method == "POST":
                body = await read(request, share, limits.message_bytes, limits.body_seconds)
            try:
                token = await self._keys.read(request.path_params["token"])
            except BadToken:
                return self._views.unknown(request)
            if request.method != "POST":
                return self._views.preferences(request, token, await self._standing(token))
            return await self._said(request, token, body)

    async def _said(self, request: Request, token: Token, body: bytes) -> Response:
        assert self._hearing is not None
        form = read_form(body, request.headers.get("content-type", ""))
        if form is None:
            return self._views.preferences(request, token, await self._standing(token), status=400)
        answers = answers_of(form, token, self._settings.topics)
        try:
            # Whoever leaves all open has said nothing.
            if answers:
                await self._hearing.hear(self._choices(request, token, form, answers))
        except NotKept:
            return self._views.later(request, token)
        if isinstance(form, OneClick):
            return Response(status_code=200, headers={"cache-control": "no-store"})
        standing = (await self._standing(token)).after(answers)
        return self._views.preferences(request, token, standing, form.act)

    def _choices(self, request: Request, token: Token, form: OneClick | Chosen, answers: Answers) -> Choices:
        assert self._hearing is not None
        if isinstance(form, OneClick):
            source, digest = _ONE_CLICK, None
        else:
            source, digest = _PAGE, form.text_digest or self._views.digest(request, token)
        said = Said(self._hearing.now(), source, digest, token.send_id)
        return Choices((token.recipient, token.user), answers, said)

    async def _standing(self, token: Token) -> Standing:
        assert self._hearing is not None
        if not self._hearing.is_away:
            topics = self._settings.topics
            look = partial(read_standing, token=token, topics=topics, now=self._hearing.now())
            try:
                with anyio.fail_after(LOOK_SECONDS):
                    return await run_sync(
                        lambda: reading(self._engine, look), abandon_on_cancel=True, limiter=self._reads
                    )
            except (TimeoutError, SkeneError):
                pass
        return unknown(token, self._settings.topics)
