"""What the app is put together from: parts that each serve some paths, and share the limits, the budget and the log."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TypeAlias

from starlette.routing import Route

from skene_dagster.tracking.throttled_log import ThrottledLog
from skene_dagster.web.bodies import Budget
from skene_dagster.web.limits import Limits


@dataclass(frozen=True)
class Common:
    """What the parts of one app share."""

    limits: Limits
    budget: Budget
    log: ThrottledLog


@dataclass(frozen=True)
class Served:
    """What a part adds to the app."""

    routes: Sequence[Route]
    alive: Callable[[], AbstractAsyncContextManager[None]]
    """Entered in the event loop before the first request, left after the last one."""
    is_ready: Callable[[], bool]
    """Asked by /readyz, in a thread.

    It returns False where the tables are missing, or of another release, and raises SkeneError where the database
    refused.
    """


Part: TypeAlias = Callable[[Common], Served]


def ready_anyway(part: Part) -> Part:
    """Serve a part that /readyz does not wait for."""
    return lambda common: replace(part(common), is_ready=lambda: True)
