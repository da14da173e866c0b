"""Gates, as people meet them: the run and its check in Dagster, `status`, `preview`, `accept`, `validate`."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from commands import run, skene
from forked import completed, dagster
from small_project import RETENTION, SETTINGS, write_project, write_users

from skene_dagster.compiler import compile_folder
from skene_dagster.project import load_project
from skene_dagster.settings import load

CHECK = dg.AssetCheckKey(dg.AssetKey(["skene", "retention", "main", "sends"]), "may_send")
FRESH = "fresh:\n  - {table: users, column: updated_at, within: 26h}\n"
STALE = "users.updated_at is not fresh: its newest moment is 02 Jan 2020, 03:00 UTC, "
WAY = "To let the next tick pass all the same: skene-dagster accept retention --step main --gate fresh"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION}, SETTINGS + FRESH)
    write_users(root, dormant=3)
    changed(root, "ALTER TABLE users ADD COLUMN updated_at DATETIME")
    changed(root, "UPDATE users SET updated_at = '2020-01-02 03:00:00'")
    return root


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


def changed(root: Path, statement: str) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(statement)
    connection.close()


def emails(root: Path) -> int:
    return len(list((root / ".skene" / "outbox").rglob("*.eml")))


def evaluated(root: Path, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """Run the loop, which has to succeed; return what its check says."""
    result = compile_folder(root).resolve_job_def("retention").execute_in_process(instance=instance)
    assert result.success
    (found,) = [one for one in result.get_asset_check_evaluations() if one.asset_check_key == CHECK]
    return found


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def test_a_run_that_a_gate_holds_is_green_and_says_what_to_look_at(root: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    job = ("job", "execute", "-m", "skene_dagster.definitions", "-j", "retention")

    result = completed(dagster, *job, cwd=root, env={"DAGSTER_HOME": str(tmp_path / "home")})

    assert result.returncode == 0, result.stderr
    assert f"Nobody is mailed. {STALE}" in result.stderr
    assert WAY in result.stderr
    assert "Asset check 'may_send' on 'skene/retention/main/sends' did not pass." in in_a_line(result.stderr)
    assert emails(root) == 0


def test_the_check_fails_with_numbers_that_dagster_plots_and_passes_when_the_gate_does(
    root: Path, instance: dg.DagsterInstance
) -> None:
    failed = evaluated(root, instance)
    changed(root, "UPDATE users SET updated_at = datetime('now', '-1 hour')")
    passed = evaluated(root, instance)

    assert (failed.passed, failed.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert failed.description is not None
    assert failed.description.startswith(STALE)
    hours = failed.metadata["hours_since_users.updated_at"]
    assert isinstance(hours, dg.FloatMetadataValue)
    assert hours.value is not None
    assert hours.value > 24 * 365
    assert failed.metadata["hours_since_users.updated_at_limit"].value == 26.0
    assert (failed.metadata["held_by"].value, failed.metadata["waiting"].value) == ("fresh", 3)
    assert (passed.passed, passed.description) == (True, "Nothing holds this step.")
    assert passed.metadata["hours_since_users.updated_at"].value == pytest.approx(1.0, abs=0.1)
    assert emails(root) == 3


def test_a_pause_is_a_warning_of_the_check(root: Path, instance: dg.DagsterInstance) -> None:
    run(root)
    skene(root, "pause", "retention")

    found = evaluated(root, instance)

    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.description == "The loop is paused, or all loops are; `skene-dagster status` says by what."


def test_status_names_the_gate_until_a_person_accepts_it_and_the_next_tick_uses_that_up(root: Path) -> None:
    run(root)
    before = skene(root, "status")
    said = skene(root, "accept", "retention", "--gate", "fresh")
    accepted = skene(root, "status")
    run(root)
    run(root)
    after = json.loads(skene(root, "status", "--json").output)

    assert before.exit_code == 4
    assert f"retention, step main: nobody is mailed. {STALE}" in in_a_line(before.output)
    assert f"who wait; t{WAY[1:]}" in in_a_line(before.output)
    assert all(len(line) <= 80 for line in before.output.splitlines())
    assert f"The next tick of retention, step main, may pass: fresh. fresh: {STALE}" in in_a_line(said.output)
    assert accepted.exit_code == 0
    assert "Accepted fresh (its next tick)" in in_a_line(accepted.output)
    assert emails(root) == 3
    assert after["steps"][0]["accepted"] == []
    assert after["steps"][0]["held"]["fresh"].startswith(STALE)


def test_a_gate_of_a_step_that_has_never_run_cannot_be_accepted(root: Path) -> None:
    run(root)
    changed(root, "DELETE FROM skene_steps")

    said = skene(root, "accept", "retention", "--gate", "fresh")

    assert "retention, step main, has never run here: there is nothing to accept yet." in in_a_line(said.output)


def test_only_a_gate_can_be_accepted(root: Path) -> None:
    result = skene(root, "accept", "retention", "--gate", "first_wave")

    assert result.exit_code == 2
    assert "'first_wave' is not one of 'fresh', 'unmailable', 'volume'" in in_a_line(result.output)


def test_a_preview_of_one_user_says_what_holds_everybody(root: Path) -> None:
    never_ran = skene(root, "preview", "retention", "--user", "1")
    run(root)
    changed(root, "UPDATE users SET updated_at = datetime('now', '-1 hour')")
    is_fresh = skene(root, "preview", "retention", "--user", "1")
    changed(root, """UPDATE skene_steps SET hold = 'volume', said = '{"volume": "It would send 90 emails."}'""")
    counted = skene(root, "preview", "retention", "--user", "1")
    skene(root, "accept", "retention", "--gate", "volume")
    accepted = skene(root, "preview", "retention", "--user", "1")

    assert f"notice Nobody is mailed for now. {STALE}" in in_a_line(never_ran.output)
    assert WAY in in_a_line(never_ran.output)
    assert "was never mailed: would be mailed if fresh let this tick pass." in in_a_line(never_ran.output)
    assert "notice Nobody is mailed for now. It would send 90 emails. To let the next" in in_a_line(counted.output)
    assert "Nobody is mailed" not in is_fresh.output + accepted.output
    assert all(len(line) <= 80 for line in never_ran.output.splitlines())


def test_a_preview_says_before_what_would_hold_the_run(root: Path) -> None:
    before = skene(root, "preview", "retention")
    run(root)
    skene(root, "accept", "retention", "--gate", "fresh")

    accepted = skene(root, "preview", "retention")

    assert f"notice A run would mail nobody. {STALE}" in in_a_line(before.output)
    assert WAY in in_a_line(before.output)
    assert "3 would be mailed if fresh let this tick pass" in in_a_line(before.output)
    assert before.output.count("would be mailed") == 1 + 3
    assert in_a_line(before.output).count("would be mailed if fresh let this tick pass") == 1 + 3
    assert all(len(line) <= 80 for line in before.output.splitlines())
    assert "would mail nobody" not in accepted.output
    assert "would be mailed if" not in in_a_line(accepted.output)


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        pytest.param("{table: users, column: updated_at, within: 26}", "26 is not a duration.", id="no unit"),
        pytest.param("{table: users, column: updated_at, within: 0h}", "out of range", id="nothing"),
        pytest.param("{table: users, within: 26h}", "'column' is missing.", id="no column"),
        pytest.param("{table: users, column: updated_at, within: 1d, colour: red}", "'colour' is not", id="a field"),
        pytest.param("{table: loads, column: at, within: 1d}", "Table 'loads' is not in the database.", id="no table"),
        pytest.param(
            "{table: users, column: updatedat, within: 1d}",
            "Table 'users' has no column 'updatedat'. Did you mean 'updated_at'?",
            id="no such column",
        ),
    ],
)
@pytest.mark.parametrize("in_the_loop", [False, True], ids=["skene.yaml", "the loop"])
def test_a_source_that_cannot_be_meant_is_told_at_its_line(
    root: Path, fresh: str, said: str, *, in_the_loop: bool
) -> None:
    text = f"fresh:\n  - {fresh}\n"
    loop, settings = (RETENTION + text, SETTINGS) if in_the_loop else (RETENTION, SETTINGS + text)
    write_project(root, {"retention.yaml": loop}, settings)

    result = skene(root, "validate", "--database")

    file, lines = ("loops/retention.yaml", loop) if in_the_loop else ("skene.yaml", settings)
    assert result.exit_code != 0
    assert said in in_a_line(result.output)
    assert f"{file}:{len(lines.splitlines())}" in result.output


def test_a_source_that_is_listed_twice_is_told(root: Path) -> None:
    twice = f"{FRESH}  - {{table: users, column: updated_at, within: 2d}}\n"
    write_project(root, {"retention.yaml": RETENTION + twice}, SETTINGS + twice)

    assert "users.updated_at is listed twice." in in_a_line(skene(root, "validate").output)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        pytest.param("volume: 0.5", "0.5 is not a multiple, from 1x to 1,000,000x. Write it as 3x or 3", id="half"),
        pytest.param("volume: .inf", "inf is not a multiple", id="endless"),
        pytest.param("volume: thrice", "'thrice' is not a multiple", id="a word"),
        pytest.param("unmailable: 100%", "'100%' is not a share below the whole. Write it as 10% or 0.1", id="all"),
        pytest.param("unmailable: 20", "20 is not a share", id="no percent"),
    ],
)
def test_a_limit_of_a_gate_that_cannot_be_meant_is_told_in_words(root: Path, limits: str, said: str) -> None:
    write_project(root, {"retention.yaml": RETENTION}, f"{SETTINGS}limits:\n  {limits}\n")

    result = skene(root, "validate")

    assert said in in_a_line(result.output)
    assert f"skene.yaml:{len(SETTINGS.splitlines()) + 2}" in result.output


def test_a_loop_has_the_same_sources_in_three_languages(tmp_path: Path) -> None:
    typescript = """\
import { defineLoop } from '@skene/core'
export default defineLoop({
  type: 'retention', name: 'typed',
  fresh: [{ table: 'users', column: 'updated_at', within: '26h' }],
  steps: [{
    trigger: { type: 'schedule', cron: '0 9 * * *' },
    condition: { type: 'query', query: 'SELECT id FROM users' },
    action: { type: 'email', template: 're_engagement', personalization: { name: '{{user.name}}' } },
  }],
})
"""
    python = """\
from skene_dagster import define_loop

loop = define_loop(
    type="retention", name="written",
    fresh=[{"table": "users", "column": "updated_at", "within": "26h"}],
    steps=[{
        "trigger": {"type": "schedule", "cron": "0 9 * * *"},
        "condition": {"type": "query", "query": "SELECT id FROM users"},
        "action": {"type": "email", "template": "re_engagement", "personalization": {"name": "{{user.name}}"}},
    }],
)
"""
    loops = {"retention.yaml": RETENTION + FRESH, "typed.config.ts": typescript, "written.py": python}
    project = load_project(load(write_project(tmp_path, loops), {}))

    assert project.broken == ()
    assert len({plan.fresh for plan in project.loops}) == 1
    assert [one.name for one in project.loops[0].fresh or ()] == ["users.updated_at"]
