"""Two files whose loops have one name: each is named and refused wherever a person looks, and the others go on."""

from pathlib import Path

import pytest
from commands import skene
from small_project import RETENTION, write_project, write_users

from skene_dagster.compiler import compile_folder

WELL = f"name: well\n{RETENTION}"
NAMED = f"name: retention\n{RETENTION.replace('type: retention', 'type: activation')}"
BY_ITS_TYPE = ("loops/a.yaml:1 type", "There is another loop named 'retention', in loops/b.yaml.")
BY_ITS_NAME = ("loops/b.yaml:1 name", "There is another loop named 'retention', in loops/a.yaml.")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"a.yaml": RETENTION, "b.yaml": NAMED, "well.yaml": WELL})
    write_users(root, dormant=2)
    return root


def said(root: Path, *arguments: str) -> tuple[str, int]:
    result = skene(root, *arguments)
    return " ".join(result.output.split()), result.exit_code


@pytest.mark.parametrize(
    ("command", "ends_with"),
    [
        pytest.param(("validate",), 1, id="validate"),
        pytest.param(("validate", "--database"), 1, id="validate, with the database"),
        pytest.param(("doctor",), 3, id="doctor"),
        pytest.param(("preview", "retention"), 1, id="preview"),
    ],
)
def test_commands_name_both_files(root: Path, command: tuple[str, ...], ends_with: int) -> None:
    output, exit_code = said(root, *command)

    for place, why in (BY_ITS_TYPE, BY_ITS_NAME):
        assert place in output
        assert why in output
    assert exit_code == ends_with


def test_the_other_loop_goes_on(root: Path) -> None:
    definitions = compile_folder(root)

    well = definitions.resolve_job_def("well").execute_in_process(raise_on_error=False)

    assert well.success
    assert len(list((root / ".skene" / "outbox").glob("*.eml"))) == 2
    assert said(root, "preview", "well")[1] == 0
    assert "ok well loops/well.yaml" in said(root, "validate")[0]
    assert "ok The database accepts the SQL of 1 loop." in said(root, "doctor")[0]
    status, exit_code = said(root, "status")
    for file in ("a", "b"):
        assert f"loops/{file}.yaml is broken; skene-dagster validate" in status
    assert exit_code == 4


def test_the_job_of_that_name_fails_and_names_both(root: Path) -> None:
    job = compile_folder(root).resolve_job_def("retention")

    result = job.execute_in_process(raise_on_error=False)

    failures = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    described = " ".join(str(failure.description) for failure in failures if failure)
    assert not result.success
    for place, why in (BY_ITS_TYPE, BY_ITS_NAME):
        assert place in " ".join(described.split())
        assert why in described
    assert not (root / ".skene" / "outbox").exists()
