"""Whichever COMMIT of a tick gets no answer: who is in the segment is mailed once, and the history says so."""

from dataclasses import replace
from pathlib import Path

import pytest
from broken_commits import breaking_off
from delivery_world import LIVE, make_world
from sqlalchemy import Engine, select

from skene_dagster.errors import CommitUnknown
from skene_dagster.settings import Limits
from skene_dagster.store.tables import OPEN, segment_members

pytestmark = pytest.mark.parametrize("database_url", ["mariadb", "tidb"], indirect=True)
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
            rows = connection.execute(select(segment_members).order_by(segment_members.c.user_id)).all()
        assert [(row.user_id, row.exited_at == OPEN) for row in rows] == [(n, n == user) for n in range(1, user + 1)]

    assert user > 5


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

    assert user > 5
