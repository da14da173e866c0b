"""A project's loops in somebody's Dagster project, beside definitions that have the names we would like, too."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from small_project import RETENTION, write_project, write_users

from skene_dagster import build_definitions
from skene_dagster.compiler.catalog.catalog import About

pytestmark = pytest.mark.long
USERS = dg.AssetKey(["dbt", "dim_users"])


@dg.asset(key=USERS, metadata={"dagster/table_name": "Shop.main.Users"})
def dim_users() -> None:
    """Stand for an asset of dbt, which names its table so."""


@dg.asset(group_name="finance")
def revenue(database: dg.ResourceParam[str]) -> None:
    """Stand for an asset that pandas writes; it has a resource of the name that is nearest at hand."""
    assert database == "theirs"


@pytest.fixture
def theirs() -> dg.Definitions:
    return dg.Definitions(
        assets=[dim_users, revenue],
        jobs=[dg.define_asset_job("retention", selection=[revenue])],
        resources={"database": "theirs"},
        executor=dg.multiprocess_executor.configured({"max_concurrent": 2}),
    )


@pytest.fixture
def growth(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "growth", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def above(defs: dg.Definitions, *path: str) -> set[dg.AssetKey]:
    return set(defs.resolve_asset_graph().get(dg.AssetKey(path)).parent_keys)


def test_the_loops_stand_beside_others_that_have_an_executor_a_database_and_a_job_of_the_same_name(
    theirs: dg.Definitions, growth: Path
) -> None:
    both = dg.Definitions.merge(theirs, build_definitions(growth, upstream=theirs))

    with dg.DagsterInstance.ephemeral() as instance:
        assert both.resolve_job_def("retention").execute_in_process(instance=instance).success
        ours = both.resolve_job_def("loops__retention")
        assert ours.execute_in_process(instance=instance).success
        assert ours.execute_in_process(instance=instance).success

    assert ours.executor_def is dg.in_process_executor
    assert len(list((growth / ".skene" / "outbox").glob("*.eml"))) == 3
    dg.Definitions.validate_loadable(both)


def test_lineage_starts_at_the_asset_that_makes_the_table(theirs: dg.Definitions, growth: Path) -> None:
    both = dg.Definitions.merge(theirs, build_definitions(growth, upstream=theirs))

    assert above(both, "skene", "retention", "main", "segment") == {USERS}
    assert dg.AssetKey(["tidb", "users"]) not in {spec.key for spec in both.resolve_all_asset_specs()}


def test_a_table_that_two_schemas_have_is_nobodys_unless_it_is_named(growth: Path) -> None:
    two = [dg.AssetSpec(name, metadata={"dagster/table_name": f"{name}.users"}) for name in ("old", "new")]

    doubtful = build_definitions(growth, upstream=two)
    named = build_definitions(growth, upstream=two, tables={"users": dg.AssetKey("new")})

    assert above(doubtful, "skene", "retention", "main", "segment") == {dg.AssetKey(["tidb", "users"])}
    assert above(named, "skene", "retention", "main", "segment") == {dg.AssetKey("new")}


def test_what_assets_are_called_is_theirs_to_say_and_runs_and_checks_know_it(growth: Path) -> None:
    def translate(spec: dg.AssetSpec, about: About) -> dg.AssetSpec:
        owned = spec.replace_attributes(group_name=f"growth_{about.loop}" if about.loop else "growth")
        return owned.merge_attributes(owners=["team:growth"], tags={"domain": "growth"})

    defs = build_definitions(growth, key_prefix="crm", job_prefix="", translate=translate)

    with dg.DagsterInstance.ephemeral() as instance:
        for job in ("retention", "skene__outcomes", "skene__reconcile"):
            assert defs.resolve_job_def(job).execute_in_process(instance=instance).success
        made = {key.to_user_string() for key in instance.all_asset_keys()}
    ours = ["retention/main/segment", "retention/main/sends", "retention/outcomes", "report"]
    assert made == {f"crm/skene/{name}" for name in ours}
    specs = [spec for spec in defs.resolve_all_asset_specs() if spec.key.path[0] == "crm"]
    assert {spec.group_name for spec in specs} == {"growth_retention", "growth"}
    assert all(list(spec.owners) == ["team:growth"] and spec.tags["domain"] == "growth" for spec in specs)
    assert above(defs, "crm", "skene", "retention", "main", "sends") == {
        dg.AssetKey(["crm", "skene", "retention", "main", "segment"])
    }


def test_a_broken_loop_breaks_nothing_of_theirs(theirs: dg.Definitions, growth: Path) -> None:
    (growth / "loops" / "retention.yaml").write_text("type: retention\n", encoding="utf-8")

    both = dg.Definitions.merge(theirs, build_definitions(growth, key_prefix="crm"))

    dg.Definitions.validate_loadable(both)
    assert dg.AssetKey(["crm", "skene", "broken", "retention"]) in {s.key for s in both.resolve_all_asset_specs()}


def test_a_translation_that_fails_for_one_loop_breaks_that_loop_alone(
    growth: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loops = growth / "loops"
    (loops / "other.yaml").write_text("name: other\n" + (loops / "retention.yaml").read_text("utf-8"), "utf-8")

    def translate(spec: dg.AssetSpec, about: About) -> dg.AssetSpec:
        return spec if about.loop != "other" else spec.replace_attributes(group_name=dict[str, str]()["nobody"])

    defs = build_definitions(growth, translate=translate)

    keys = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
    assert {"skene/retention/main/sends", "skene/broken/other"} <= keys
    assert not any(key.startswith("skene/other") for key in keys)
    assert "`translate` failed on the asset skene/other/main/segment (KeyError): 'nobody'" in caplog.text


def test_a_segment_is_stale_once_it_has_missed_a_tick(growth: Path) -> None:
    defs = build_definitions(growth)

    policy = defs.resolve_asset_graph().get(dg.AssetKey(["skene", "retention", "main", "segment"])).freshness_policy

    # Daily in Berlin: a day of 25 hours, in autumn, is the longest.
    assert policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=25, minutes=30))


TABLES = """\
import dagster as dg


@dg.asset(metadata={"dagster/table_name": "main.users"})
def dim_users() -> None: ...
"""


def test_the_component_works_in_a_project_that_dagsters_scaffolder_made(growth: Path, tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent

    def call(*command: str, cwd: Path) -> None:
        done = subprocess.run(
            [str(bin_folder / command[0]), *command[1:]],
            cwd=cwd, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "DAGSTER_HOME": str(home),
                 "PYTHONPATH": "src"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    home = tmp_path / "home"
    home.mkdir()
    call("create-dagster", "project", "theirs", "--no-uv-sync", cwd=tmp_path)
    project = tmp_path / "theirs"
    growth.rename(project / "growth")
    (project / "src" / "theirs" / "defs" / "tables.py").write_text(TABLES, encoding="utf-8")

    call("dg", "scaffold", "defs", "skene_dagster.components.SkeneLoops", "loops", "--project", "growth", cwd=project)
    call("dg", "check", "defs", cwd=project)
    call("dg", "launch", "--job", "loops__retention", cwd=project)

    assert len(list((project / "growth" / ".skene" / "outbox").glob("*.eml"))) == 3


def test_what_each_dg_command_imports_of_ours_is_light() -> None:
    code = "import sys, skene_dagster.components; print([n for n in sys.modules if n.startswith('skene_dagster.')])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['skene_dagster.components']"
