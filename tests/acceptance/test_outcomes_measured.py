"""What came of the loops, through Dagster: the daily job, its assets, and the checks `measured` and `no_harm`."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from small_project import RETENTION, SETTINGS, write_project, write_users
from test_dagster_runs import job_execute

from skene_dagster.compiler import compile_folder

JOB = "skene__outcomes"
KEY = dg.AssetKey(["skene", "retention", "outcomes"])
OF_ALL = dg.AssetKey(["skene", "outcomes"])
TICK = "2026-03-14T08:00:00+00:00"
LATER = "2026-04-20T03:00:00+00:00"
BACK = (
    RETENTION
    + "holdout: 50%\ngoal:\n  - {returns_within: 14d}\n  - within: 7d\n    query: "
    + ("SELECT user_id, paid_at AS at, amount AS value FROM invoices\n")
)
PEOPLE = 200


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


def project(root: Path, **loops: str) -> Path:
    write_project(root, {f"{name}.yaml": text for name, text in loops.items()})
    write_users(root, dormant=PEOPLE)
    sql(root, "CREATE TABLE invoices (user_id INTEGER, paid_at DATETIME, amount NUMERIC)")
    return root


def sql(root: Path, statement: str, *rows: tuple[object, ...]) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(root / ".skene" / "skene.db")
    with connection:
        if rows:
            connection.executemany(statement, rows)
            found = []
        else:
            found = connection.execute(statement).fetchall()
    connection.close()
    return found


def run(root: Path, instance: dg.DagsterInstance, job: str, as_of: str) -> dg.ExecuteInProcessResult:
    definition = compile_folder(root).resolve_job_def(job)
    return definition.execute_in_process(instance=instance, tags={"skene/as_of": as_of}, raise_on_error=False)


def checks(result: dg.ExecuteInProcessResult, key: dg.AssetKey = KEY) -> dict[str, tuple[bool, str, str]]:
    """By name: whether it passed, how grave it is, and what it says."""
    return {
        found.check_name: (found.passed, found.severity.value, found.description or "")
        for found in result.get_asset_check_evaluations()
        if found.asset_key == key
    }


def reported(result: dg.ExecuteInProcessResult, key: dg.AssetKey = KEY) -> dict[str, object]:
    (event,) = [one for one in result.get_asset_materialization_events() if one.asset_key == key]
    metadata = event.step_materialization_data.materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def come_back(root: Path, arm: str, people: int) -> None:
    """Let so many of an arm do something the day after."""
    users = [user for (user,) in sql(root, f"SELECT user_id FROM skene_arms WHERE arm = '{arm}' ORDER BY user_id")]
    at = f"{datetime.fromisoformat(TICK).replace(tzinfo=None) + timedelta(days=1)}.000000"
    statement = "INSERT INTO skene_events VALUES (?, ?, 'visit', ?, ?, NULL)"
    sql(root, statement, *((f"e-{user}", user, at, at) for user in users[:people]))


def test_the_daily_job_says_how_many_more_came_back_than_of_those_held_out(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    root = project(tmp_path / "project", retention=BACK)
    assert run(root, instance, "retention", TICK).success
    ((mailed,),) = sql(root, "SELECT COUNT(*) FROM skene_arms WHERE arm = 'mailed'")
    come_back(root, "mailed", 60)
    come_back(root, "held_out", 10)
    sql(root, "INSERT INTO invoices SELECT MIN(user_id), '2026-03-15 08:00:00', 25 FROM skene_arms")

    result = run(root, instance, JOB, LATER)
    told = reported(result)

    assert result.success
    assert told["goal"] == "came back within 14d"
    assert told["verdict"] == "works"
    assert (told["mailed"], told["held_out"]) == (mailed, PEOPLE - int(str(mailed)))
    assert (told["mailed_reached"], told["held_out_reached"]) == (60, 10)
    assert float(str(told["lift_points_low"])) > 0
    assert {name: passed for name, (passed, _, _) in checks(result).items()} == {"measured": True, "no_harm": True}
    goals = told["goals"]
    assert isinstance(goals, dg.TableMetadataValue)
    assert [row.data["goal"] for row in goals.records] == [
        "came back within 14d",
        "were found by the goal's query in invoices within 7d",
    ]


def test_harm_is_red_and_the_run_is_green(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    root = project(tmp_path / "project", retention=BACK)
    run(root, instance, "retention", TICK)
    come_back(root, "held_out", 60)
    result = run(root, instance, JOB, LATER)

    assert result.success
    passed, severity, said = checks(result)["no_harm"]
    assert (passed, severity) == (False, "ERROR")
    assert said == "Does harm: fewer of the mailed than of those held out reach the goal."


def test_all_loops_together_are_measured_by_the_goal_of_skene_yaml(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    root = project(tmp_path / "project", retention=RETENTION)
    (root / "skene.yaml").write_text(f"{SETTINGS}holdout: 50%\ngoal: {{returns_within: 14d}}\n")
    assert run(root, instance, "retention", TICK).success
    come_back(root, "held_out", 60)
    result = run(root, instance, JOB, LATER)

    assert result.success
    told = reported(result, OF_ALL)
    assert (told["goal"], told["verdict"]) == ("came back within 14d", "does harm")
    assert int(str(told["mailed"])) + int(str(told["held_out"])) == PEOPLE
    assert {name: passed for name, (passed, _, _) in checks(result, OF_ALL).items()} == {
        "measured": True,
        "no_harm": False,
    }
    node = compile_folder(root).resolve_asset_graph().get(OF_ALL)
    assert node.parent_keys == {
        dg.AssetKey(["skene", "retention", "main", "sends"]),
        dg.AssetKey(["skene", "user_activity"]),
    }

    (root / "skene.yaml").write_text(f"{SETTINGS}holdout: 50%\n")
    result = run(root, instance, JOB, LATER)
    said = "skene.yaml names no goal, so nobody knows whether the loops work together"
    assert checks(result, OF_ALL)["measured"][2].startswith(said)


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        pytest.param(RETENTION, "The loop has no goal", id="no goal"),
        pytest.param(RETENTION + "goal: {returns_within: 14d}\n", "Nobody is held out", id="no holdout"),
    ],
)
def test_a_loop_that_nobody_measures_is_told_so(
    loop: str, said: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    root = project(tmp_path / "project", retention=loop)
    result = run(root, instance, JOB, LATER)

    assert result.success
    assert checks(result)["measured"][:2] == (False, "WARN")
    assert checks(result)["measured"][2].startswith(said)


def test_arms_of_the_wrong_size_raise_the_alarm(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    root = project(tmp_path / "project", retention=BACK)
    run(root, instance, "retention", TICK)
    sql(root, "DELETE FROM skene_arms WHERE arm = 'held_out'")
    result = run(root, instance, JOB, LATER)

    passed, severity, said = checks(result)["measured"]
    assert (passed, severity) == (False, "ERROR")
    assert "0 are held out, not 50 %" in said
    assert "do not read the number" in str(reported(result)["verdict"])


def test_variants_of_the_wrong_size_raise_the_alarm(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    variants = BACK.replace(
        "template: re_engagement\n", "template: re_engagement\n      variants: {plain: 50, warm: 50}\n"
    )
    root = project(tmp_path / "project", retention=variants)
    for file in (root / "templates").glob("re_engagement.*"):
        for variant in ("plain", "warm"):
            shutil.copy(file, file.with_name(f"re_engagement.{variant}{file.suffix}"))
    run(root, instance, "retention", TICK)
    sql(root, "DELETE FROM skene_arms WHERE variant = 'warm'")
    result = run(root, instance, JOB, LATER)

    passed, severity, said = checks(result)["measured"]
    assert (passed, severity) == (False, "ERROR")
    assert "0 get warm, not 50 % and 50 %: chance alone does that" in said
    assert "Something puts people into the wrong group" in said


def test_what_is_wrong_with_one_loop_keeps_nobody_from_measuring_the_others(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    wrong = BACK.replace("type: retention", "name: wrong\ntype: retention").replace("invoices", "nothing")
    root = project(tmp_path / "project", retention=BACK, wrong=wrong)
    result = run(root, instance, JOB, LATER)

    assert not result.success
    assert reported(result)["goal"] == "came back within 14d"
    assert "nothing" in str(result.get_step_failure_events()[0].step_failure_data.user_failure_data)


def test_lineage_leads_from_the_tables_and_the_emails_to_the_outcome(tmp_path: Path) -> None:
    root = project(tmp_path / "project", retention=BACK)
    node = compile_folder(root).resolve_asset_graph().get(KEY)

    assert node.parent_keys == {
        dg.AssetKey(["skene", "retention", "main", "sends"]),
        dg.AssetKey(["skene", "user_activity"]),
        dg.AssetKey(["tidb", "invoices"]),
    }
    assert node.group_name == "retention"


def test_it_is_measured_at_the_time_of_skene_yaml_and_can_be_run_in_part(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    root = project(tmp_path / "project", retention=RETENTION, other=BACK.replace("type:", "name: other\ntype:"))
    definitions = compile_folder(root)
    assert definitions.resolve_schedule_def(JOB).cron_schedule == "0 3 * * *"
    (root / "skene.yaml").write_text(f'{SETTINGS}report: {{at: "05:30"}}\n')
    definitions = compile_folder(root)
    assert definitions.resolve_schedule_def(JOB).cron_schedule == "30 5 * * *"

    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[KEY], tags={"skene/as_of": LATER}
    )
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [KEY]


def test_the_job_runs_from_the_command_line(tmp_path: Path) -> None:
    root = project(tmp_path / "project", retention=BACK)

    done = job_execute(root, tmp_path / "home", job=JOB)

    assert done.returncode == 0, done.stderr
    assert sql(root, "SELECT COUNT(*) FROM skene_goals") == [(2,)]
