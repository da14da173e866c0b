"""What a person reads of a run in Dagster's log."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from template_world import email, plan_of

from skene_dagster.compiler import descriptions
from skene_dagster.loops.field_types import Recipient
from skene_dagster.loops.triggers import After
from skene_dagster.segments.refresh import Refreshed

AS_OF = datetime(2026, 3, 14, 9)


def refreshed(*, already: bool) -> Refreshed:
    return Refreshed("win_back.main", AS_OF, 1200, 30, 4, unknown_keys=0, already=already, sql="", seconds=1.0)


def test_a_run_that_sends_for_earlier_ticks_does_not_say_that_it_sent_nothing() -> None:
    line = descriptions.delivered(3704, {})

    assert line == "3,704 emails accepted in this run, for any tick. Reserved for this tick: nobody."


@pytest.mark.parametrize(
    ("by_row", "already", "said"),
    [
        pytest.param(False, False, "1,200 members; 30 entered, 4 left", id="a segment"),
        pytest.param(False, True, "1,200 members; already refreshed", id="a segment, again"),
        pytest.param(True, False, "30 rows triggered", id="rows that trigger"),
        pytest.param(True, True, "already looked at", id="rows that trigger, again"),
    ],
)
def test_a_refresh_is_told_in_a_line(*, by_row: bool, already: bool, said: str) -> None:
    _, step = plan_of(email())
    if by_row:
        step = replace(step, trigger=After("first", timedelta(days=1)))

    line = descriptions.refreshed(step, refreshed(already=already))

    assert line == f"win_back.main as of 2026-03-14 09:00:00 UTC: {said}."


@pytest.mark.parametrize(
    ("recipient", "whom"),
    [
        pytest.param(None, "the members of the segment", id="users"),
        pytest.param("owner", "the owner of each account of the segment", id="an owner"),
        pytest.param("most_recently_active", "the user of each account of the segment who was active last", id="one"),
        pytest.param("everybody", "all users of each account of the segment", id="everybody"),
    ],
)
def test_a_step_says_whom_it_mails(recipient: Recipient | None, whom: str) -> None:
    plan, step = plan_of(email())
    step = replace(step, recipient=recipient)

    assert f" to {whom}, " in descriptions.sends(plan, step)
    assert ("skene_account_members" in descriptions.segment(plan, step)) == (recipient is not None)
