"""A loop that starts when others of Dagster's assets were made, as Dagster's daemon runs it."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from small_project import RETENTION, write_project, write_users

from skene_dagster.compiler import compile_folder
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine

ORDERS, USERS = dg.AssetKey(["dbt", "orders"]), dg.AssetKey("users")
BY_CLOCK = '{type: schedule, cron: "0 9 * * *", timezone: Europe/Berlin}'


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


def project(tmp_path: Path, trigger: str) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION.replace(BY_CLOCK, trigger)})
    write_users(root, dormant=3)
    return root


class Daemon:
    """Looks with the loop's sensor, and runs what it asks for."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self._definitions, self._instance = compile_folder(root), instance
        self._url = load(root).database_url
        self._cursor: str | None = None
        # The tables of the embedded database are made by the first run.
        assert self._definitions.resolve_job_def("skene__reconcile").execute_in_process(instance=instance).success

    def looks(self) -> str:
        """Look once; say `runs`, or why nothing runs."""
        repository, engine = self._definitions.get_repository_def(), open_engine(self._url)
        try:
            context = dg.build_sensor_context(
                self._instance, self._cursor, repository_def=repository, resources={"skene_database": engine}
            )
            looked = repository.get_sensor_def("retention__main").evaluate_tick(context)
        finally:
            engine.dispose()
        self._cursor = looked.cursor
        for request in looked.run_requests or []:
            job = self._definitions.resolve_job_def("retention")
            run = job.execute_in_process(
                instance=self._instance, tags=dict(request.tags), asset_selection=request.asset_selection
            )
            assert run.success
        return "runs" if looked.run_requests else (looked.skip_message or "")


def made(instance: dg.DagsterInstance, *keys: dg.AssetKey) -> None:
    for key in keys:
        instance.report_runless_asset_event(dg.AssetMaterialization(key))


def test_a_step_runs_once_whenever_its_asset_was_materialized_again(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    root = project(tmp_path, "{type: asset, asset: dbt/orders}")
    made(instance, ORDERS)
    daemon = Daemon(root, instance)

    begin = daemon.looks()
    made(instance, ORDERS, ORDERS)
    after = [daemon.looks(), daemon.looks()]

    assert begin == after[1] == "Waits for dbt/orders to be materialized."
    assert after[0] == "runs"
    assert len(list((root / ".skene" / "outbox").glob("*.eml"))) == 3


def test_with_wait_for_fresh_each_of_its_assets_must_be_new(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(project(tmp_path, "{type: asset, asset: [dbt/orders, users], wait_for_fresh: true}"), instance)
    daemon.looks()

    made(instance, ORDERS)
    one = daemon.looks()
    made(instance, ORDERS, USERS)
    both = daemon.looks()
    made(instance, USERS)
    again = daemon.looks()

    assert one == "Waits for users to be materialized. Never materialized in this Dagster instance: users."
    assert (both, again) == ("runs", "Waits for dbt/orders to be materialized.")


def test_without_it_one_of_them_is_enough(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(project(tmp_path, "{type: asset, asset: [dbt/orders, users]}"), instance)
    daemon.looks()
    made(instance, USERS)

    assert daemon.looks() == "runs"


def test_an_asset_is_above_the_segment_that_waits_for_it(tmp_path: Path) -> None:
    graph = compile_folder(project(tmp_path, "{type: asset, asset: dbt/orders}")).resolve_asset_graph()

    above = graph.get(dg.AssetKey(["skene", "retention", "main", "segment"])).parent_keys

    assert above == {ORDERS, dg.AssetKey(["tidb", "users"])}
