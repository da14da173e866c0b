"""An op that fails is known to the database for as long as it does; nothing of it names a user."""

from contextlib import nullcontext
from datetime import datetime, timedelta

import prepared_tables
import pytest
from delivery_world import START, users
from sqlalchemy import Engine

from skene_dagster.errors import (
    NoClearance,
    ProviderFatal,
    ProviderUnavailable,
    SegmentError,
    SegmentImplausible,
    SkeneError,
    StoreError,
)
from skene_dagster.incidents import failures
from skene_dagster.incidents.failures import MAY_PASS, Op, noted
from skene_dagster.settings import Users
from skene_dagster.store.engine import transaction

OP = Op("retention", "main", "skene__retention__main__segment")
OTHER = Op("retention", "main", "retention__main__deliver")
STOPPED = SegmentImplausible("Segment retention.main has 3 members and would gain 900.", advice="Accept it.")


@pytest.fixture
def tables(engine: Engine) -> Engine:
    users.metadata.create_all(engine)
    prepared_tables.make(engine, Users())
    return engine


def attempt(engine: Engine, op: Op = OP, error: Exception | None = None, at: datetime = START) -> None:
    with nullcontext() if error is None else pytest.raises(type(error)), noted(engine, op, lambda: at):
        if error is not None:
            raise error


def standing(engine: Engine, now: datetime = START) -> list[tuple[str, str]]:
    return [(one.op.name, one.words) for one in transaction(engine, lambda c: failures.standing(c, now))]


def test_a_failure_stands_until_its_own_op_succeeds(tables: Engine) -> None:
    attempt(tables, error=STOPPED)
    attempt(tables, OTHER)
    stands = standing(tables)
    attempt(tables)

    assert stands == [(OP.name, "its run fails: Segment retention.main has 3 members and would gain 900")]
    assert standing(tables) == []


def test_it_stands_since_the_first_time_and_says_what_failed_last(tables: Engine) -> None:
    attempt(tables, error=STOPPED)
    attempt(tables, error=ProviderFatal("Resend refuses to send: 401"), at=START + timedelta(hours=1))

    (found,) = transaction(tables, lambda c: failures.standing(c, START))
    assert (found.failed_at, found.said) == (START, "Resend refuses to send: 401")


def test_what_may_pass_is_told_when_it_has_not_passed(tables: Engine) -> None:
    attempt(tables, error=ProviderUnavailable("2 batches got no answer from Resend."))

    assert standing(tables, START + MAY_PASS - timedelta(seconds=1)) == []
    assert len(standing(tables, START + MAY_PASS)) == 1


def test_a_run_that_another_overtook_is_no_failure(tables: Engine) -> None:
    attempt(tables, error=NoClearance("The segment was not refreshed."))

    assert standing(tables, START + MAY_PASS) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(StoreError("Duplicate entry 'Ada Lovelace'"), "the database refused (StoreError)", id="a row"),
        pytest.param(SegmentError("User 'ada' is there twice."), "it cannot go on (SegmentError)", id="a key"),
        pytest.param(KeyError("Ada"), "a failure that nobody foresaw (KeyError)", id="a fault of ours"),
        pytest.param(ProviderFatal("no mail from ada@example.com."), "no mail from (an address)", id="an address"),
    ],
)
def test_nobody_is_named(tables: Engine, error: SkeneError, said: str) -> None:
    attempt(tables, error=error)

    assert standing(tables) == [(OP.name, f"its run fails: {said}")]
