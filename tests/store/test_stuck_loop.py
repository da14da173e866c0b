"""No loop is stuck by some of its batches: after an outage all who can be mailed are, each once.

The local Resend and its own clock stand for the provider; refreshing, reserving, delivering and reconciling are real.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from contract import message
from delivery_world import LIVE, World, make_world
from resend_server import ResendServer, resend_server
from sqlalchemy import Engine

from skene_dagster.delivery.health import LookedAt, StepHealth, health
from skene_dagster.delivery.providers.json_emails import freeze
from skene_dagster.delivery.providers.resend.provider import ResendProvider
from skene_dagster.delivery.reconcile import reconcile
from skene_dagster.errors import ProviderUnavailable
from skene_dagster.store.engine import transaction


@dataclass
class Outage:
    world: World
    resend: ResendServer
    provider: ResendProvider
    users: range

    @property
    def bad(self) -> set[int]:
        """One in fifty has an address that the provider refuses, with the whole batch, without saying which it is."""
        return set(self.users[::50])

    @property
    def good(self) -> set[int]:
        return set(self.users) - self.bad

    def run(self) -> None:
        self.world.deliver(LIVE, provider=self.provider)

    def reconcile(self) -> None:
        reconcile(self.world.session(LIVE, "reconcile", self.provider), [self.world.plan])

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
        assert times.keys() <= {f"u{n}@example.com" for n in self.good}
        return len(times)

    def look(self) -> StepHealth:
        steps = [LookedAt(self.world.plan, self.world.step)]
        (found,) = transaction(self.world.engine, partial(health, steps=steps, mode="live", now=self.world.now))
        return found


@pytest.fixture
def outage(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Outage]:
    """A first run, and its three retries, of which every request was cut; then the provider is well."""
    world = make_world(engine, tmp_path)
    with resend_server() as server:
        provider = ResendProvider("re_test", server.url, timeout=(5.0, 5.0))
        outage = Outage(world, server, provider, range(1, request.param + 1))
        server.clock, server.per_second = lambda: world.now - timedelta(hours=1), 5
        provider.send_batch(freeze([message(0)]), "of the product itself")
        server.clock = world.clock
        server.refuses = frozenset(f"u{n}@example.com" for n in outage.bad)
        server.rates = {"unread": 1.0}
        limits = world.settings.limits.model_copy(update={"first_wave": len(outage.users), "slices": "off"})
        world.settings = replace(world.settings, limits=limits)
        world.add(*outage.users)
        world.refresh()
        world.reserve(LIVE)
        for _ in range(4):
            with pytest.raises(ProviderUnavailable):
                outage.run()
            world.now += timedelta(seconds=30)
        server.rates = {}
        yield outage
        provider.close()


@pytest.mark.long
@pytest.mark.parametrize("outage", [2000], indirect=True, ids=lambda n: f"{n} users")
def test_half_an_hour_after_an_outage_all_who_can_be_mailed_are_and_until_then_it_is_said_what_waits(
    outage: Outage,
) -> None:
    tried = {post.headers["Idempotency-Key"] for post in outage.resend.posts[1:]}
    cut = outage.look().waits

    outage.run()
    after_one_run, refused = outage.mailed(), outage.look().waits
    outage.wait_until(lambda: set(outage.world.batch_states()) == {"settled", "split"}, timedelta(minutes=30))

    assert after_one_run == len(outage.good) - 98 * len(tried)
    assert [(wait.emails, wait.said[:9]) for wait in cut] == [(100 * len(tried), "no answer")]
    assert [(wait.emails, wait.said[:20]) for wait in refused] == [(100 * len(tried), "422 validation_error")]
    assert outage.mailed() == len(outage.good)
    states = outage.world.states()
    assert {n for n, state in states.items() if state == "refused:provider"} == outage.bad
    assert {n for n, state in states.items() if state == "accepted"} == outage.good


@pytest.mark.parametrize("outage", [400], indirect=True, ids=lambda n: f"{n} users")
@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
def test_with_a_key_that_may_only_send_what_waits_goes_when_its_key_ends_as_the_loop_says(
    outage: Outage, on_doubt: str
) -> None:
    outage.resend.may_read = False
    outage.world.rewrite_loop("type: retention", f"type: retention\non_doubt: {on_doubt}")
    began = outage.look().waits[0].since
    outage.wait_until(lambda: outage.world.now - began >= timedelta(minutes=30), timedelta(hours=1))
    waits, mailed = outage.look().waits, outage.mailed()
    outage.world.now = began + timedelta(hours=23, minutes=2)

    outage.wait_until(lambda: not outage.look().waits, timedelta(minutes=30))

    assert all("restricted_api_key" in wait.records for wait in waits)
    assert sum(wait.emails for wait in waits) == 400
    assert mailed == 0
    assert outage.mailed() == (len(outage.good) if on_doubt == "resend" else mailed)
    left = {"resend": set[str](), "skip": {"in_doubt:no_answer"}}[on_doubt]
    assert left <= set(outage.world.states().values()) <= {"accepted", "refused:provider", *left}
