"""Whichever COMMIT of a tick gets no answer: who is in the segment is mailed once, and the history says so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from broken_commits import breaking_off
from delivery_world import LIVE, World, make_world
from neighbours import own
from sqlalchemy import Connection, Engine, select

from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.send.deliver import deliver
from skene_dagster.delivery.send.session import DeliverySession, Result
from skene_dagster.errors import CommitUnknown
from skene_dagster.settings import Limits
from skene_dagster.store.tables import OPEN, batches, segment_members

happens = pytest.mark.parametrize("happens", [True, False], ids=["it happened", "it did not"])


@happens
def test_a_commit_of_a_refresh_without_an_answer_changes_nothing_that_is_written(
    engine: Engine, tmp_path: Path, *, happens: bool
) -> None:
    world = make_world(engine, tmp_path)
    world.settings = replace(world.settings, limits=Limits())
    user = 0
    commits = user
    while user <= commits:
        user += 1
        world.add(user)
        world.change(user - 1, dormant=False)
        world.days_pass(1)
        with breaking_off(engine, at=user, happens=happens) as broken:
            try:
                world.refresh()
            except CommitUnknown:
                # As Dagster does, which runs the step again.
                world.refresh()
        commits = broken.commits
        with engine.connect() as connection:
            query = select(segment_members).where(own(segment_members)).order_by(segment_members.c.user_id)
            rows = connection.execute(query).all()
        assert [(row.user_id, row.exited_at == OPEN) for row in rows] == [(n, n == user) for n in range(1, user + 1)]

    assert user > 5


@pytest.mark.long
@happens
def test_a_commit_of_a_delivery_without_an_answer_is_resolved_by_the_ledger_and_nobody_is_mailed_twice(
    engine: Engine, tmp_path: Path, *, happens: bool
) -> None:
    world = make_world(engine, tmp_path)
    user = 0
    commits = user
    while user <= commits:
        user += 1
        world.add(user)
        world.days_pass(1)
        world.refresh()
        with breaking_off(engine, at=user, happens=happens) as broken:
            world.reserve(LIVE)
            world.deliver(LIVE)
        commits = broken.commits
        assert world.provider.mailed == sorted(f"u{n}@example.com" for n in range(1, user + 1))
        assert set(world.states().values()) == {"accepted"}
        assert set(world.batch_states()) == {"settled"}
        assert attempts(world) == {1}

    assert user > 5


class Unheard(DeliverySession):
    """No COMMIT of this run is ever heard of, though each of them happened."""

    def do(
        self, work: Callable[[Connection], Result], *, resolve: Callable[[Connection], Result] | None = None
    ) -> Result:
        super().do(work)
        return super().do(resolve or work)


def test_a_delivery_whose_every_commit_happened_unheard_sends_each_batch_in_one_attempt(
    engine: Engine, tmp_path: Path
) -> None:
    world = make_world(engine, tmp_path)
    world.add(1, 2)
    world.refresh()
    world.reserve(LIVE)
    session = Unheard(engine, world.settings, LIVE, world.open_provider, world.clock, "one", pause=world.pause)

    deliver(session, plan=world.plan, step=world.step, templates=Templates(world.settings.templates, world.root))

    assert (len(world.provider.tried), attempts(world)) == (1, {1})
    assert world.states() == {1: "accepted", 2: "accepted"}
    assert world.batch_states() == {"settled": 1}
    assert world.reminded() == {1, 2}


def attempts(world: World) -> set[int]:
    """How often the batches were attempted."""
    with world.engine.connect() as connection:
        return set(connection.execute(select(batches.c.attempts).where(own(batches))).scalars())
