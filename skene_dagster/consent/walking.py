"""Walk through the whole list of suppressions, in as little memory as a page of it takes."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Engine

from skene_dagster.consent.suppressions import Scope, Suppression, page
from skene_dagster.store.engine import reading

PAGE = 5_000
"""Suppressions that are read at a time: whoever takes their time over them holds no lock."""


def every(engine: Engine, scopes: Collection[Scope] | None, now: datetime) -> Iterator[Suppression]:
    """List what holds, in the order of its keys.

    Raises:
        StoreError: the database refused.
    """
    last: tuple[str, str] | None = None
    while some := reading(engine, lambda c: page(c, last, PAGE, now, scopes)):  # noqa: B023 - called at once
        yield from some
        last = (some[-1].recipient, some[-1].scope)
