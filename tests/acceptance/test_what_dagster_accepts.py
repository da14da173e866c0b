"""What the planning accepts, Dagster accepts: the lists in our code are held against the installed Dagster."""

from datetime import datetime
from itertools import islice, pairwise

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES
from dagster._utils.schedules import is_valid_cron_schedule
from hypothesis import given, settings
from hypothesis import strategies as some

from skene_dagster.loops.names import fault_of_name
from skene_dagster.loops.times.cron import fault_of_cron
from skene_dagster.loops.triggers import Schedule
from skene_dagster.ticks import ticks


def test_every_name_that_dagster_reserves_is_refused() -> None:
    assert [name for name in sorted(DISALLOWED_NAMES) if not fault_of_name(name)] == []


@pytest.mark.parametrize(
    "cron",
    [
        "0 9 * * *",
        "*/5 0-6,18-23 * * mon-fri",
        "0/15 * 1 JAN,JUL *",
        "00 09 29 2 *",
        "0 9 L * *",
        "0 9 * * 5#2",
        "0 9 * * 7",
        "1-59/2 * * * SUN",
        "0 9 */2 * 1",
        "0 9 1 * */2,6",
        "0 9 L 2 1",
    ],
)
def test_a_cron_expression_that_we_accept_is_one_of_dagster_s(cron: str) -> None:
    assert fault_of_cron(cron) == ""
    assert is_valid_cron_schedule(cron)


START = datetime(2026, 2, 26, 8, 59, 30)


def following(cron: str, number: int = 20) -> list[datetime]:
    return list(islice(ticks(Schedule(cron, "UTC"), START), number))


@pytest.mark.parametrize(
    ("backwards", "forwards"),
    [
        ("0 22-2 * * *", "0 22-23,0-2 * * *"),
        ("0 22-2/2 * * *", "0 22,0,2 * * *"),
        ("50-10 * * * *", "50-59,0-10 * * * *"),
        ("0 9 * 11-2 *", "0 9 * 11-12,1-2 *"),
        ("0 9 * * FRI-MON", "0 9 * * 5,6,0,1"),
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@yearly", "0 0 1 1 *"),
    ],
)
def test_what_we_have_written_otherwise_means_what_it_meant_to_dagster(backwards: str, forwards: str) -> None:
    assert fault_of_cron(backwards)
    assert fault_of_cron(forwards) == ""
    assert following(backwards) == following(forwards)


@some.composite
def items(draw: some.DrawFn, least: int, most: int) -> str:
    """A field of a cron expression, right or nearly so."""
    number = some.integers(least, most).map(str)
    either = some.one_of(number, some.just("*"), some.tuples(number, number).map("-".join))
    stepped = some.tuples(either, some.sampled_from(["", "", "/2", "/5", "/30"])).map("".join)
    return ",".join(draw(some.lists(stepped, min_size=1, max_size=2)))


@settings(max_examples=100, deadline=None)
@given(
    some.tuples(
        items(0, 60),
        items(0, 24),
        items(0, 31) | some.just("L"),
        items(1, 12),
        items(0, 7) | some.sampled_from(["MON#1", "2#4"]),
    ).map(" ".join)
)
def test_whatever_we_accept_dagster_has_ticks_for(cron: str) -> None:
    if fault_of_cron(cron):
        return

    assert is_valid_cron_schedule(cron)
    found = following(cron, 3)
    assert len(found) == 3
    assert all(earlier < later for earlier, later in pairwise(found))
