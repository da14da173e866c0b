"""What doctor says of Dagster's own instance."""

import shutil
from pathlib import Path

import pytest

from skene_dagster.cli.doctor.instance_checks import examine_instance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def said(home: Path) -> list[tuple[str, str]]:
    return [(one.label, one.said.replace(str(home), "$DAGSTER_HOME")) for one in examine_instance()]


def test_the_projects_own_dagster_yaml_lacks_nothing(home: Path) -> None:
    shutil.copy(ROOT / "dagster.yaml", home)

    assert [label for label, _ in said(home)] == ["ok"]


def test_dagsters_defaults_lack_three_things_and_no_promise_depends_on_them(home: Path) -> None:
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")

    found = said(home)

    assert {label for label, _ in found} == {"notice"}
    assert [next(word for word in ("skene/loop", "run_monitoring", "run_retries") if word in what)
            for _, what in found] == ["skene/loop", "run_monitoring", "run_retries"]  # fmt: skip


def test_a_file_that_dagster_refuses_is_an_error_in_its_words(home: Path) -> None:
    (home / "dagster.yaml").write_text("run_monitring: {enabled: true}\n", encoding="utf-8")

    ((label, what),) = said(home)

    assert label == "error"
    assert what.startswith("Dagster refuses $DAGSTER_HOME/dagster.yaml: ")
    assert "run_monitring" in what


def test_where_no_instance_is_named_or_none_has_settings_it_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_file = said(home)
    monkeypatch.delenv("DAGSTER_HOME")

    assert [label for label, _ in without_file] == ["ok"]
    assert "There is no $DAGSTER_HOME/dagster.yaml" in without_file[0][1]
    assert [label for label, _ in said(home)] == ["ok"]
