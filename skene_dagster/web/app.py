"""The app: the paths of its parts, and GET /healthz and /readyz."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skene_dagster.tracking.throttled_log import ThrottledLog
from skene_dagster.web.bodies import Budget
from skene_dagster.web.limits import Limits
from skene_dagster.web.parts import Common, Part
from skene_dagster.web.readiness import Readiness
from skene_dagster.web.refusals import Refusal
from skene_dagster.web.unread import Unread


def make_app(parts: Sequence[Part], limits: Limits | None = None) -> Starlette:
    """Make the app that serves these parts."""
    limits = limits or Limits()
    common = Common(limits, Budget(limits), ThrottledLog())
    served = [part(common) for part in parts]
    readiness = Readiness(lambda: all(one.is_ready() for one in served), common.log)

    @asynccontextmanager
    async def alive(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for one in served:
                await stack.enter_async_context(one.alive())
            yield

    async def healthz(_: Request) -> Response:
        return JSONResponse({"ok": True})

    async def readyz(_: Request) -> Response:
        lacking = await readiness.lacks()
        return JSONResponse({"ok": False, "message": lacking}, 503) if lacking else JSONResponse({"ok": True})

    app = Starlette(
        routes=[
            *(route for one in served for route in one.routes),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ],
        exception_handlers={Refusal: _refused, HTTPException: _not_here, ClientDisconnect: _nobody},
        middleware=[Middleware(Unread, limits)],
        lifespan=alive,
    )
    # Starlette, 2026-11: it would redirect /u to what the client's own Host header says.
    app.router.redirect_slashes = False
    return app


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return refusal.answer()


async def _not_here(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "not_found" if error.status_code == 404 else "not_allowed"
    return Refusal(error.status_code, code, f"{error.detail}.", error.headers).answer()


async def _nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=400)
