"""From which moment on a person should look, and until when not: of one batch after the other."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from delivery_world import START as NOW
from delivery_world import World, make_world
from sqlalchemy import Connection, Engine, insert

from skene_dagster.delivery.health import LookedAt, StepHealth, Wait, _wait, closed_accounts, counts, health
from skene_dagster.store.tables import batches, pacing, segments

AN_INSTANT = timedelta(microseconds=1)
A_MINUTE, AN_HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def look(engine: Engine, tmp_path: Path) -> Callable[..., StepHealth]:
    """Look at a step that has one batch of three emails, of two hours ago, and nothing else."""
    world: World = make_world(engine, tmp_path)

    def look(
        due: datetime | None = None,
        as_of: datetime | None = None,
        then: Callable[[Connection, World], None] = lambda *_: None,
        **columns: object,
    ) -> StepHealth:
        long_ago = NOW - 2 * AN_HOUR
        row = {
            "batch_id": "b" * 32,
            "mode": "live",
            "loop": world.plan.name,
            "step": world.step.name,
            "state": "frozen",
            "size": 3,
            "attempts": 0,
            **dict.fromkeys(("as_of", "reserved_at", "due_at"), long_ago),
            "provider": "resend",
            **columns,
        }
        with engine.connect() as connection:
            connection.execute(insert(batches).values(row))
            if as_of is not None:
                segment: dict[str, object] = dict.fromkeys(("members", "entered", "exited", "unknown_keys", "fence"), 0)
                segment |= dict.fromkeys(("as_of", "first_as_of", "writing_as_of", "refreshed_at"), as_of)
                connection.execute(insert(segments).values(segment | {"segment": f"{world.plan.name}.main"}))
            found = health(connection, [LookedAt(world.plan, world.step, due)], "live", NOW)[0]
            then(connection, world)
            connection.rollback()
        return found

    return look


def test_emails_are_stuck_that_are_due_for_an_hour_and_on_which_no_run_works(look: Callable[..., StepHealth]) -> None:
    tried = dict.fromkeys(("last_attempt_at",), NOW - 15 * A_MINUTE)

    def stuck(**columns: object) -> int:
        return look(**columns).stuck

    assert stuck() == 3
    assert stuck(due_at=NOW - AN_HOUR) == 3
    assert stuck(due_at=NOW - AN_HOUR + AN_INSTANT) == 0
    assert stuck(state="settled") == 0
    assert stuck(state="in_doubt") == 0
    assert stuck(owner="a run", lease_until=NOW) == 0
    assert stuck(owner="a run", lease_until=NOW - AN_INSTANT) == 3
    # A run that is between two attempts holds nothing.
    assert stuck(**tried) == 0
    assert stuck(last_attempt_at=NOW - 15 * A_MINUTE - AN_INSTANT) == 3
    assert stuck(last_attempt_at=NOW + 5 * A_MINUTE) == 0
    assert stuck(last_attempt_at=NOW + 5 * A_MINUTE + AN_INSTANT) == 3


def test_an_attempt_counts_that_is_an_hour_old_and_that_nobody_took_up_for_an_hour(
    look: Callable[..., StepHealth],
) -> None:
    def unresolved(**columns: object) -> int:
        return look(**{"unresolved_since": NOW - 2 * AN_HOUR, **columns}).unresolved

    assert unresolved() == 1
    assert unresolved(unresolved_since=NOW - AN_HOUR) == 0
    assert unresolved(unresolved_since=NOW - AN_HOUR - AN_INSTANT) == 1
    assert unresolved(unresolved_since=None) == 0
    assert unresolved(due_at=NOW - AN_HOUR + AN_INSTANT) == 0
    assert unresolved(owner="a run", lease_until=NOW) == 0
    assert unresolved(state="in_doubt") == 0


def test_emails_wait_whose_batches_have_work_left(look: Callable[..., StepHealth]) -> None:
    waiting: dict[str, int] = {}

    def number(connection: Connection, world: World) -> None:
        waiting[state] = counts(connection, world.plan, world.step, "live", NOW).waiting

    for state in ("reserved", "frozen", "accepted", "settled", "in_doubt"):
        look(state=state, then=number)

    assert waiting == {"reserved": 3, "frozen": 3, "accepted": 3, "settled": 0, "in_doubt": 0}
    assert look(state="in_doubt").in_doubt == 3


def test_a_step_is_late_whose_last_refresh_is_older_than_the_tick_that_is_due(look: Callable[..., StepHealth]) -> None:
    assert not look(due=NOW).late
    assert not look(as_of=NOW).late
    assert not look(due=NOW, as_of=NOW).late
    assert look(due=NOW, as_of=NOW - AN_INSTANT).late


def test_a_step_is_ahead_that_was_refreshed_for_later_than_clocks_differ(look: Callable[..., StepHealth]) -> None:
    assert not look().ahead
    assert not look(as_of=NOW + 5 * A_MINUTE).ahead
    assert look(as_of=NOW + 5 * A_MINUTE + AN_INSTANT).ahead


def test_an_account_is_closed_until_the_moment_that_is_said(engine: Engine, tmp_path: Path) -> None:
    make_world(engine, tmp_path)
    row = {"account": "one", "per_second": 2.0, "next_at": NOW, "closed_until": NOW, "reason": None}
    with engine.connect() as connection:
        connection.execute(insert(pacing).values(row))

        assert closed_accounts(connection, NOW) == []
        assert closed_accounts(connection, NOW - AN_INSTANT) == [(NOW, "")]


class Told:
    """A row of `ledger.waiting`."""

    def __init__(self, refusal: str | None, error: str | None, key_since: datetime | None = None) -> None:
        self.batches, self.emails, self.since, self.due_at = 2, 5, NOW, NOW
        self.refusal, self.error, self.key_since, self.provider = refusal, error, key_since, "resend"


def a_wait(said: str, records: str = "", key_ends: datetime | None = None) -> Wait:
    return Wait(2, 5, NOW, said, records, NOW, key_ends)


@pytest.mark.parametrize(
    ("row", "wait"),
    [
        pytest.param(Told(None, None), a_wait("no answer; the process that sent them has ended"), id="nothing"),
        pytest.param(Told(None, "429"), a_wait("429"), id="the provider"),
        pytest.param(Told("422", "422"), a_wait("422"), id="a refusal"),
        pytest.param(Told("422", "nothing of it"), a_wait("422", "nothing of it"), id="a refusal, then the records"),
        pytest.param(Told(None, "x", NOW), a_wait("x", key_ends=NOW + 23 * AN_HOUR), id="a key that ends"),
    ],
)
def test_what_was_said_to_what_waits_is_told_from_what_the_records_said(row: Any, wait: Wait) -> None:
    assert _wait(row, "live") == wait
