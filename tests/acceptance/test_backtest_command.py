"""`skene-dagster backtest`, as a person calls it."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from commands import run, skene
from small_project import RETENTION, write_project, write_users

TODAY = date.today()  # noqa: DTZ011 - a day more or less does not matter
WEEK = ("--from", f"{TODAY - timedelta(days=7)}", "--to", f"{TODAY - timedelta(days=1)}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path, {"retention.yaml": f"holdout: 50%\n{RETENTION}"})
    write_users(root, dormant=30)
    return root


def test_it_says_who_would_have_been_mailed_in_80_columns(root: Path) -> None:
    result = skene(root, "backtest", "retention", *WEEK)

    assert result.exit_code == 0, result.output
    assert "retention as its file is now, over 7 days. Nothing was sent, nothing written." in result.output
    assert "came into the segment        30" in result.output
    assert "users: as they are today, asked with the clock of each tick" in " ".join(result.output.lower().split())
    assert [line for line in result.output.splitlines() if len(line) > 80] == []


def test_to_programs_it_says_what_each_tick_decides(root: Path) -> None:
    assert run(root)

    found = json.loads(skene(root, "backtest", "retention", *WEEK, "--json").output)

    (step,) = found["steps"]
    assert found["came_in"] == 30
    assert found["people_mailed"] + found["held_out"] == 30
    # Whoever the run drew is in the same arm a week before.
    (tick, *_) = (one["outcomes"] for one in step["ticks"])
    assert tick == {"held_out": found["held_out"], "mail": found["people_mailed"]}
    assert 0 < found["held_out"] < 30
    assert found["smallest_effect"] is not None


def test_where_nothing_ever_ran_it_says_about_how_many_are_held_out(root: Path) -> None:
    output = skene(root, "backtest", "retention", *WEEK).output

    assert re.search(r"of them held out +about 15$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        pytest.param(("--from", "2999-01-01", "--to", "2999-01-02"), "is still to come", id="the future"),
        pytest.param(("--from", "2026-03-02", "--to", "2026-03-01"), "2026-03-01 is before 2026-03-02", id="backwards"),
        pytest.param(("--from", "2020-01-01", "--to", "2026-03-01"), "At most 366 days", id="too many"),
        pytest.param(("--from", "yesterday", "--to", "2026-03-01"), "'yesterday' does not match", id="no date"),
    ],
)
def test_other_days_are_a_wrong_call(root: Path, days: tuple[str, ...], said: str) -> None:
    result = skene(root, "backtest", "retention", *days)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
