"""What a project becomes in Dagster: assets, ops, jobs, schedules, and a word on everything that is wrong."""

import os
import shutil
import socket
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from printed_graph import printed
from small_project import RETENTION, SETTINGS, write_project

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs.rollup import is_used
from skene_dagster.settings import load

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "definitions"
NOON = datetime(2026, 3, 14, 11, 0, tzinfo=timezone.utc)


def loop(name: str) -> str:
    """Return another retention loop."""
    return f"name: {name}\n{RETENTION}"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.txt")), ids=lambda case: case.stem)
def test_a_loop_becomes_this_graph(case: Path, tmp_path: Path) -> None:
    written, _, expected = case.read_text(encoding="utf-8").partition("----\n")

    defs = compile_folder(write_project(tmp_path, {"loop.yaml": written}))

    dg.Definitions.validate_loadable(defs)
    assert printed(defs) == expected


def test_a_table_that_two_loops_read_is_one_asset(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"one.yaml": loop("one"), "two.yaml": loop("two")})

    defs = compile_folder(root)

    assert printed(defs).count("asset tidb/users\n") == 1
    assert {job.name for job in defs.resolve_all_job_defs()} >= {"one", "two"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        pytest.param("", "sqlite", id="the embedded database"),
        pytest.param("mysql+pymysql://somebody:secret@127.0.0.1:4000/product", "tidb", id="a server"),
    ],
)
def test_the_kind_of_a_segment_is_its_database(
    url: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_DATABASE_URL", url)

    defs = compile_folder(write_project(tmp_path, {"retention.yaml": RETENTION}))

    assert f"asset skene/retention/main/segment\n  group retention, kinds sql, {kind}\n" in printed(defs)


def test_the_same_step_has_the_same_code_version_and_another_condition_another(tmp_path: Path) -> None:
    def versions(text: str, folder: str) -> set[str | None]:
        defs = compile_folder(write_project(tmp_path / folder, {"retention.yaml": text}))
        return {spec.code_version for spec in defs.resolve_all_asset_specs() if "retention" in spec.key.path[:-2]}

    first = versions(RETENTION, "first")
    moved = versions(f"# a comment that moves every line\n{RETENTION}", "moved")
    changed = versions(RETENTION.replace("7 days", "8 days"), "changed")

    assert len(first) == 1
    assert moved == first
    assert changed.isdisjoint(first)


def test_loading_opens_no_connection(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"mysql+pymysql://somebody:secret@127.0.0.1:{server.getsockname()[1]}/product"

        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from skene_dagster.definitions import defs; print(defs.resolve_job_def('retention').name)",
            ],
            env={**os.environ, "SKENE_PROJECT": str(root), "SKENE_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout == "retention\n"
        with pytest.raises(TimeoutError):
            server.accept()


def test_running_imports_no_pandas_and_no_mail_client(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION})

    done = subprocess.run(
        [sys.executable, "-c", "import sys, skene_dagster.definitions; print({'pandas', 'resend'} & set(sys.modules))"],
        env={**os.environ, "SKENE_PROJECT": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "set()\n"


def test_a_broken_file_leaves_the_other_loops_in_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = RETENTION.replace("SELECT", "SELCT")
    root = write_project(tmp_path, {"retention.yaml": broken, "well.yaml": loop("well")})

    defs = compile_folder(root)

    assert "asset skene/broken/retention" in printed(defs)
    assert "asset skene/well/main/sends" in printed(defs)
    assert "loops/retention.yaml" in caplog.text


def test_the_job_of_a_broken_loop_fails_with_the_file_and_line_and_is_not_retried(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION.replace("backoff: none", "backoff: exponental")})
    defs = compile_folder(root)

    result = defs.resolve_job_def("retention").execute_in_process(raise_on_error=False)

    (failure,) = result.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert told.description is not None
    assert told.description.startswith("loops/retention.yaml:12  recovery.backoff\n  'exponental' is not a backoff.")
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_two_broken_files_of_one_stem_are_two_assets(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"a-b.yaml": "type: [", "a_b.yaml": "type: [", "a_b.ts": "this is no loop"})

    defs = compile_folder(root)

    keys = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
    assert keys == {"skene/broken/a_b", "skene/broken/a_b_2", "skene/broken/a_b_3"}


def test_a_broken_file_whose_name_dagster_reserves_does_not_take_the_code_location_down(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"type.yaml": "type: [", "well.yaml": loop("well")})

    defs = compile_folder(root)

    dg.Definitions.validate_loadable(defs)
    assert "asset skene/broken/type" in printed(defs)


def test_a_time_that_only_dagster_refuses_breaks_its_own_loop_only(tmp_path: Path) -> None:
    never = RETENTION.replace("0 9 * * *", "0 9 30 2 1")
    root = write_project(tmp_path, {"retention.yaml": never, "well.yaml": loop("well")})

    defs = compile_folder(root)

    dg.Definitions.validate_loadable(defs)
    assert "asset skene/broken/retention" in printed(defs)
    assert "schedule well" in printed(defs)


@pytest.mark.parametrize(
    ("settings", "url", "told"),
    [
        pytest.param("users: {tabel: people}", "", "skene.yaml:1", id="skene.yaml"),
        pytest.param("users: {tabel: people}\nlimits: {collapse: 2}", "", "skene.yaml:2", id="two faults of it"),
        pytest.param("{}", "postgres://somewhere/product", "SKENE_DATABASE_URL", id="the database's URL"),
    ],
)
def test_wrong_settings_are_an_asset_that_says_so(
    settings: str, url: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path, {"retention.yaml": RETENTION}, settings)
    monkeypatch.setenv("SKENE_DATABASE_URL", url)

    defs = compile_folder(root)

    (spec,) = defs.resolve_all_asset_specs()
    assert spec.key == dg.AssetKey(["skene", "broken", "settings"])
    assert spec.description is not None
    assert told in spec.description


def test_a_schedule_says_which_moment_its_run_is_for(tmp_path: Path) -> None:
    repository = compile_folder(write_project(tmp_path, {"retention.yaml": RETENTION})).get_repository_def()
    noon_in_berlin = datetime(2026, 3, 14, 12, 0, tzinfo=ZoneInfo("Europe/Berlin"))

    tick = repository.get_schedule_def("retention").evaluate_tick(
        dg.build_schedule_context(scheduled_execution_time=noon_in_berlin, repository_def=repository)
    )

    (request,) = tick.run_requests or []
    assert request.run_key == "2026-03-14T11:00:00+00:00"
    assert request.tags["skene/as_of"] == "2026-03-14T11:00:00+00:00"
    assert request.asset_selection is None


def test_a_schedule_starts_only_the_steps_of_its_time(tmp_path: Path) -> None:
    written = (CASES / "two_times_of_the_clock.txt").read_text(encoding="utf-8").partition("----\n")[0]
    repository = compile_folder(write_project(tmp_path, {"win_back.yaml": written})).get_repository_def()

    ticks = {
        name: repository.get_schedule_def(name).evaluate_tick(
            dg.build_schedule_context(scheduled_execution_time=NOON, repository_def=repository)
        )
        for name in ("win_back__nudge", "win_back__last_call")
    }

    selected = {
        name: sorted(key.path[2] for request in tick.run_requests or [] for key in request.asset_selection or [])
        for name, tick in ticks.items()
    }
    assert selected == {
        "win_back__nudge": ["nudge", "nudge", "reminder", "reminder"],
        "win_back__last_call": ["last_call", "last_call"],
    }


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("", id="what the repository ships"),
        pytest.param(
            "tidb_usage: {db_users: {ada: ada@example.com}}\nretention: {history: 90d, events: 400d, payloads: 90d}\n",
            id="with the collector and with retention",
        ),
    ],
)
def test_dagster_s_own_command_loads_the_code_location(settings: str, tmp_path: Path) -> None:
    for name in ("loops", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "workspace.yaml", tmp_path)
    shipped = (ROOT / "skene.yaml").read_text(encoding="utf-8")
    if settings:
        # It writes into our own table of events, so the product's is not read.
        shipped = settings + shipped.replace("events:\n  table: events\n  at: happened_at\n  late: 1h\n", "")
    (tmp_path / "skene.yaml").write_text(shipped, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation successful" in done.stdout + done.stderr


def test_a_step_that_only_blocks_sends_nothing_and_leaves_nothing_in_doubt(tmp_path: Path) -> None:
    block = RETENTION.partition("    action:")[0] + "    action: {type: block, message: Upgrade to continue.}\n"
    graph = compile_folder(write_project(tmp_path, {"one.yaml": block})).resolve_asset_graph()

    kinds = {key.path[-1] for key in graph.get_all_asset_keys() if key.path[:2] == ["skene", "retention"]}
    assert kinds == {"segment", "entitlements", "outcomes"}
    assert {key.name for key in graph.asset_check_keys} == {"measured", "no_harm"}


@pytest.mark.parametrize("said", ["retention: {events: 90d}", "milestones: {hello: {title: Hello, streak: 3}}"])
def test_what_users_do_is_rolled_up_also_where_no_loop_asks_but_the_settings_do(said: str, tmp_path: Path) -> None:
    nothing = load(write_project(tmp_path / "one", {}), {})
    something = load(write_project(tmp_path / "other", {}, f"{SETTINGS}{said}\n"), {})

    assert (is_used((), nothing), is_used((), something)) == (False, True)
