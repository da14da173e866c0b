"""Put what stops all email on a provider's list, too, which then stops whatever else is sent by its account."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, func, select

from skene_dagster.consent.suppressions import Suppression
from skene_dagster.consent.walking import every
from skene_dagster.delivery.providers.base import Denied, Forbidden
from skene_dagster.delivery.send.session import DeliverySession
from skene_dagster.errors import ProviderFatal, ProviderUnavailable
from skene_dagster.feedback.provider_list.lists import ProviderList, open_list
from skene_dagster.store.engine import reading
from skene_dagster.store.tables import OPEN, suppressions

WAITS = (1.0, 10.0)
"""Seconds before a call is made again that got no answer: one bad moment of many calls ends nothing."""


@dataclass(frozen=True)
class Cost:
    """What it takes to push the list, and what of it cannot be pushed."""

    addresses: int
    erased: int
    """Their address is no longer known, only its hash."""
    ending: int
    """They end by themselves, which a provider's list knows nothing of."""
    calls: int
    seconds: float


@dataclass
class Pushed:
    """What became of it."""

    addresses: int = 0
    """On the provider's list now."""
    refused: int = 0
    """The provider does not take them for addresses."""


def cost(session: DeliverySession, name: str) -> Cost:
    """Say what `push` would do.

    Raises:
        StoreError: the database refused.
    """
    at_once = open_list(session, name).calls.at_once

    def count(connection: Connection) -> Cost:
        c = suppressions.c
        query = select(func.count(c.address), func.count()).where(c.scope == "all")
        addresses, holding = connection.execute(query.where(c.lifted_at == OPEN)).one()
        _, ending = connection.execute(query.where(c.lifted_at > session.clock(), c.lifted_at < OPEN)).one()
        calls = -(-addresses // at_once)
        return Cost(addresses, holding - addresses, ending, calls, session.outlet(name).pacing.lasts(connection, calls))

    return reading(session.engine, count)


def push(session: DeliverySession, name: str, progress: Callable[[int], None] = lambda _: None) -> Pushed:
    """Put what stops all email for good, and has an address, on a provider's list; what is there stays.

    Raises:
        ProviderFatal: the key has no right to.
        ProviderUnavailable: it was not done to its end; to do it again finishes it.
        StoreError: the database refused.
    """
    listed, pushed = open_list(session, name), Pushed()
    wanted = (one.address for one in every(session.engine, ["all"], session.clock()) if _can_be_pushed(one))
    addresses = (address for address in wanted if address is not None)
    try:
        while some := list(islice(addresses, listed.calls.at_once)):
            for taken, number in _push(session, listed, some):
                pushed.addresses += number if taken else 0
                pushed.refused += 0 if taken else number
            progress(pushed.addresses)
    except Forbidden as denied:
        raise ProviderFatal(
            f"The key of {listed.provider} may not change its list of suppressions: {denied}.",
            advice="Use one with full access.",
        ) from denied
    except Denied as denied:
        raise ProviderUnavailable(
            f"Of these addresses {pushed.addresses:,} are on the list of {listed.provider}; then it ended: {denied}.",
            advice="Run it again: what is there stays there.",
        ) from denied
    return pushed


def _push(session: DeliverySession, listed: ProviderList, addresses: Sequence[str]) -> Iterator[tuple[bool, int]]:
    """Put them on the list, all at once; if one is bad, in halves, until it is alone."""
    if _add(session, listed, addresses):
        yield True, len(addresses)
    elif len(addresses) == 1:
        yield False, 1
    else:
        half = len(addresses) // 2
        yield from _push(session, listed, addresses[:half])
        yield from _push(session, listed, addresses[half:])


def _add(session: DeliverySession, listed: ProviderList, addresses: Sequence[str]) -> bool:
    for wait in WAITS:
        try:
            return listed.calls.add(addresses)
        except Forbidden:
            raise
        except Denied:
            session.pause(wait)
    return listed.calls.add(addresses)


def _can_be_pushed(one: Suppression) -> bool:
    return one.until == OPEN and one.address is not None
