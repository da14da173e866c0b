"""How are you? What `skene-dagster status` says, and how it ends."""

import json
import sqlite3
from pathlib import Path

import pytest
from commands import ATTEMPTED, RESERVED, run, skene
from small_project import RETENTION, write_project, write_users

CLOSED = "INSERT INTO skene_pacing VALUES ('one', 2, '2999-01-01', '2999-01-01 00:00:00.000000', 'daily_quota')"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def test_status_tells_how_it_is_and_ends_with_4_when_a_person_should_look(root: Path) -> None:
    run(root)
    well = skene(root, "status")
    skene(root, "pause", "retention")

    paused = skene(root, "status")

    assert (well.exit_code, paused.exit_code) == (0, 4)
    assert "Nothing needs a person." in well.output
    assert "paused; skene-dagster resume retention" in " ".join(paused.output.split())
    assert all(len(line) <= 80 for line in paused.output.splitlines())


def test_status_for_programs_is_one_object(root: Path) -> None:
    run(root)

    found = json.loads(skene(root, "status", "--json").output)

    assert set(found) == {"steps", "problems", "channel"}
    assert found["problems"] == []
    assert {name: found["steps"][0][name] for name in ("loop", "step", "late", "paused", "waiting", "in_doubt")} == {
        "loop": "retention",
        "step": "main",
        "late": False,
        "paused": False,
        "waiting": 0,
        "in_doubt": 0,
    }


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param(ATTEMPTED.format("in_doubt"), "7 emails in doubt; skene-dagster doubts retention", id="in doubt"),
        pytest.param(
            ATTEMPTED.format("frozen"), "1 batch without answer; is the sensor skene__reconcile on?", id="silence"
        ),
        pytest.param(RESERVED, "7 emails not sent for over an hour; look at the loop's last run", id="stuck"),
        pytest.param(CLOSED, "The provider takes nothing more until 01 Jan 2999, 00:00 UTC: daily_quota", id="quota"),
        pytest.param(
            "UPDATE skene_sends SET state = 'deferred', reason = 'first_wave'",
            "a first wave of 3 waits; skene-dagster approve retention",
            id="first wave",
        ),
    ],
)
def test_status_names_what_a_person_should_look_at(root: Path, statement: str, said: str) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_batches SET last_attempt_at = NULL")
        connection.execute(statement)

    result = skene(root, "status")

    assert result.exit_code == 4
    assert said in " ".join(result.output.split())


def test_status_names_a_broken_file(root: Path) -> None:
    run(root)
    write_project(root, {"other.yaml": "type: retention\nname: other\n"})

    result = skene(root, "status")

    assert result.exit_code == 4
    assert "loops/other.yaml is broken: skene-dagster validate" in result.output


def test_status_counts_who_is_on_the_way_and_who_is_asked_again(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(RESERVED)
        connection.execute("UPDATE skene_sends SET state = 'deferred', reason = 'repeat' WHERE user_id = 1")

    said = skene(root, "status").output

    assert "On their way  7 emails" in said
    assert "1 mailed too short a time ago (repeat)" in said


def test_a_missed_tick_is_late(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_segments SET as_of = '2020-01-01', writing_as_of = '2020-01-01'")

    result = skene(root, "status")

    assert result.exit_code == 4
    assert "was missed; is Dagster's daemon running?" in " ".join(result.output.split())
