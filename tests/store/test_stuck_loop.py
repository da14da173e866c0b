"""No loop is stuck by some of its batches: after an outage all who can be mailed are, each once, whatever the others do.

The local Resend and its own clock stand for the provider; refreshing, reserving, delivering and reconciling are real.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from contract import message
from delivery_world import LIVE, World, make_world
from resend_server import ResendServer, resend_server
from sqlalchemy import Engine

from skene_dagster.delivery.health import StepHealth, health
from skene_dagster.delivery.message import freeze
from skene_dagster.delivery.providers.resend import ResendProvider
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.store.engine import transaction

USERS = range(1, 2001)
BAD = frozenset(USERS[::50])
"""One in fifty has an address that the provider refuses, with the whole batch, without saying which it is."""


@dataclass
class Outage:
    world: World
    resend: ResendServer
    provider: ResendProvider

    def run(self) -> None:
        self.world.deliver(LIVE, provider=self.provider)

    def reconcile(self) -> None:
        reconcile(self.world.desk(LIVE, "reconcile", self.provider), [self.world.plan])

    def wait_until(self, happened: Callable[[], bool], most: timedelta) -> timedelta:
        """Let a run and the reconcile job follow each other, some minutes apart; return how long it took."""
        began = self.world.now
        while not happened():
            self.run()
            self.world.now += timedelta(minutes=2)
            self.reconcile()
            self.world.now += timedelta(minutes=2)
            assert self.world.now - began <= most, self.mailed()
        return self.world.now - began

    def mailed(self) -> int:
        """How many of those who can be mailed were; nobody twice, and nobody else."""
        times = Counter(email["to"][0] for email in self.resend.emails[1:])
        assert [to for to, n in times.items() if n > 1] == []
        assert times.keys() <= {f"u{n}@example.com" for n in set(USERS) - BAD}
        return len(times)

    def look(self) -> StepHealth:
        look = partial(health, plan=self.world.plan, step=self.world.step, channel="live", now=self.world.now)
        return transaction(self.world.engine, look)


@pytest.fixture
def outage(engine: Engine, tmp_path: Path) -> Iterator[Outage]:
    """A first run, and its three retries, of which every request was cut; then the provider is well."""
    world = make_world(engine, tmp_path)
    limits = world.settings.limits.model_copy(update={"first_wave": len(USERS)})
    world.settings = replace(world.settings, limits=limits)
    world.add(*USERS)
    with resend_server() as server:
        server.clock, server.per_second = lambda: world.now - timedelta(hours=1), 5
        provider = ResendProvider("re_test", server.url, timeout=(5.0, 5.0))
        provider.send_batch(freeze([message(0)]), "of the product itself")
        server.clock = world.clock
        server.refuses = frozenset(f"u{n}@example.com" for n in BAD)
        server.rates = {"unread": 1.0}
        world.refresh()
        world.reserve(LIVE)
        stuck = Outage(world, server, provider)
        for _ in range(4):
            with pytest.raises(ProviderUnavailable):
                stuck.run()
            world.now += timedelta(seconds=30)
        server.rates = {}
        yield stuck
        provider.close()


def test_half_an_hour_after_an_outage_all_who_can_be_mailed_are(outage: Outage) -> None:
    took = outage.wait_until(lambda: outage.mailed() == len(USERS) - len(BAD), timedelta(minutes=30))
    outage.wait_until(lambda: set(outage.world.batch_states()) == {"settled", "split"}, timedelta(minutes=30))

    states = outage.world.states()
    assert {n for n, state in states.items() if state == "refused:provider"} == BAD
    assert {n for n, state in states.items() if state == "accepted"} == set(USERS) - BAD
    assert took <= timedelta(minutes=30)


def test_the_first_run_after_it_mails_whoever_was_never_tried(outage: Outage) -> None:
    tried = {request.headers["Idempotency-Key"] for request in outage.resend.posts}

    outage.run()

    assert outage.mailed() >= (20 - len(tried)) * 98


def test_until_the_records_have_told_it_is_said_what_waits_and_why(outage: Outage) -> None:
    during = outage.look()
    outage.run()

    after = outage.look()

    assert sum(wait.emails for wait in during.waits) == sum(wait.emails for wait in after.waits)
    assert {wait.since for wait in after.waits} == {outage.look().waits[0].since}
    assert all("no answer" in wait.said for wait in during.waits)
    assert all(wait.said.startswith("422 validation_error") for wait in after.waits)


@pytest.mark.parametrize(
    ("on_doubt", "left"), [("resend", set[str]()), ("skip", {"in_doubt:no_answer"})], ids=["resend", "skip"]
)
def test_with_a_key_that_may_only_send_they_wait_for_its_end_and_then_for_what_the_loop_says(
    outage: Outage, on_doubt: str, left: set[str]
) -> None:
    outage.resend.may_read = False
    outage.world.rewrite_loop("type: retention", f"type: retention\non_doubt: {on_doubt}")
    began = outage.world.now
    with suppress(AssertionError):
        outage.wait_until(lambda: False, timedelta(hours=1))
    waits = outage.look().waits
    posts = len(outage.resend.posts)
    outage.world.now = began + timedelta(hours=23)

    outage.wait_until(lambda: not outage.look().waits, timedelta(minutes=30))

    assert all("restricted_api_key" in wait.records for wait in waits)
    assert outage.mailed() == (len(USERS) - len(BAD) if on_doubt == "resend" else 1960 - 98 * (len(waits) and 1))
    assert set(outage.world.states().values()) == {"accepted", "refused:provider", *left}
    assert posts
