"""What each part of the work costs: processor time of this process, each part without the parts that it calls."""

import functools
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.providers import json_emails
from skene_dagster.delivery.providers.resend.provider import ResendProvider
from skene_dagster.store import engine

WHERE: dict[str, list[tuple[Any, str]]] = {
    "render": [(Templates, "render")],
    "JSON": [(json_emails, "freeze")],
    "zlib": [(zlib, "compress")],
    "SDK": [(ResendProvider, "send_batch")],
    "database": [(engine, "_once")],
}
"""The functions that are a part; «database» is what is left of a transaction when the other parts are taken off."""


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Yield the seconds of processor time of each part, «the rest» included; complete when the block is left."""
    seconds: dict[str, float] = defaultdict(float)
    inner = [0.0]
    undo = []
    for part, places in WHERE.items():
        for owner, name in places:
            undo.append((owner, name, getattr(owner, name)))
            setattr(owner, name, _timed(part, getattr(owner, name), seconds, inner))
    started = time.process_time()
    try:
        yield seconds
    finally:
        seconds["the rest"] = time.process_time() - started - sum(seconds.values())
        for owner, name, original in undo:
            setattr(owner, name, original)


def _timed(
    part: str, original: Callable[..., Any], seconds: dict[str, float], inner: list[float]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def timed(*args: Any, **kwargs: Any) -> Any:
        inner.append(0.0)
        started = time.process_time()
        try:
            return original(*args, **kwargs)
        finally:
            took = time.process_time() - started
            seconds[part] += took - inner.pop()
            inner[-1] += took

    return timed
