"""What the planning accepts, Dagster accepts: the lists in our code are held against the installed Dagster."""

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES
from dagster._utils.schedules import is_valid_cron_schedule

from skene_dagster.loops.names import fault_of_name
from skene_dagster.loops.timing import fault_of_cron


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
    ],
)
def test_a_cron_expression_that_we_accept_is_one_of_dagster_s(cron: str) -> None:
    assert fault_of_cron(cron) == ""
    assert is_valid_cron_schedule(cron)
