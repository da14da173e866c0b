"""POST /webhooks/<provider>: what a provider says of emails that it accepted.

A 2xx means committed. After any other answer the provider posts it again, and it is stored once: by its own id. Nothing
that was posted is logged.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skene_dagster.delivery.providers import registry
from skene_dagster.delivery.providers.feedback import NotGenuine, Receiver
from skene_dagster.feedback.intake import Intake, Posted, is_there, open_intake
from skene_dagster.settings import Settings
from skene_dagster.tracking.throttled_log import Kind
from skene_dagster.web.bodies import read
from skene_dagster.web.commits import Commits
from skene_dagster.web.parts import Common, Part, Served
from skene_dagster.web.refusals import wrong

AWAY = "The database does not accept webhooks now. Send it again."

REFUSED = Kind(logging.WARNING, "Webhooks refused: {many}. The last one: {words}")


def webhooks_of(settings: Settings) -> list[Part]:
    """Serve the webhooks of the providers whose secret is set; none, if none is.

    Raises:
        SettingsError, WrongEnvironment, StoreError: as `open_intake` does.
    """
    receivers = registry.receivers(settings)
    return [webhooks_api(open_intake(settings), receivers)] if receivers else []


def webhooks_api(intake: Intake, receivers: Mapping[str, Receiver]) -> Part:
    """Serve a path for each provider that posts, over an opened inbox, which is closed at the end.

    Args:
        receivers: what reads the posts, by the provider's name.
    """

    def begin(common: Common) -> Served:
        hooks = _Webhooks(intake, common)
        return Served(
            routes=[
                Route(f"/webhooks/{name}", hooks.of(name, receiver), methods=["POST"])
                for name, receiver in receivers.items()
            ],
            alive=hooks.alive,
            is_ready=lambda: is_there(intake.engine),
        )

    return begin


class _Webhooks:
    def __init__(self, intake: Intake, common: Common) -> None:
        self._intake = intake
        self._common = common
        self._commits: Commits[Posted] | None = None

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        self._commits = Commits(self._intake.store, self._common.limits, self._common.log, away=AWAY)
        try:
            yield
        finally:
            await self._commits.close()
            self._common.log.tell(at_once=True)
            self._intake.close()

    def of(self, provider: str, receiver: Receiver) -> Callable[[Request], Awaitable[Response]]:
        """Return what takes one provider's posts."""

        async def take(request: Request) -> Response:
            limits = self._common.limits
            with self._common.budget.one() as share:
                body = await read(request, share, limits.webhook_bytes, limits.body_seconds)
                try:
                    report = receiver.read(body, request.headers)
                except NotGenuine as refused:
                    self._common.log.note(REFUSED, 1, str(refused))
                    self._common.log.tell()
                    raise wrong(str(refused)) from None
                assert self._commits is not None
                await self._commits.commit([Posted(provider, report)])
            return JSONResponse({"success": True})

        return take
