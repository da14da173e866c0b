"""What the documents say is there, and what is there is in the documents."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from skene_dagster.cli.group import SUMMARIES
from skene_dagster.documents import Spec
from skene_dagster.json_schema import explanations
from skene_dagster.loops import model
from skene_dagster.loops.tidb_features import FEATURES
from skene_dagster.project import load_project
from skene_dagster.settings import Example, MomentColumn, ProjectFile, load

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "skene_dagster"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def fields(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a file's model as its author writes it, `users.table`, and what the code says of it."""
    for name, field in model.model_fields.items():
        path = before + name.removesuffix("_")
        inside = _models(field.annotation)
        if not (isinstance(field.annotation, type) and inside):
            yield path, explanations(model)[name]
        for part in inside:
            yield from fields(part, f"{path}.<name>." if "dict[" in str(field.annotation) else f"{path}.")


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        # The same wherever it stands: told once.
        return [annotation] if annotation not in (Example, MomentColumn) else []
    return [model for part in get_args(annotation) for model in _models(part)]


def variables() -> set[str]:
    """Every environment variable that the package reads or speaks of."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))
    return set(re.findall(r"\b(?:SKENE_[A-Z_]*[A-Z]|RESEND_API_KEY)\b", code))


def _is_spec(part: type) -> bool:
    return issubclass(part, Spec) and part is not Spec


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE)


@pytest.mark.parametrize(("path", "said"), [pytest.param(*found, id=found[0]) for found in fields(ProjectFile)])
def test_a_setting_is_documented_in_the_words_of_the_code(path: str, said: str) -> None:
    row = next((line for line in read("docs/settings.md").splitlines() if line.startswith(f"| `{path}` |")), None)

    assert row is not None
    assert " ".join(said.split()) in row


@pytest.mark.parametrize("part", [part for part in vars(model).values() if isinstance(part, type) and _is_spec(part)])
def test_a_part_of_the_loop_format_is_documented_in_the_words_of_the_code(part: type[Spec]) -> None:
    text = read("docs/loop-format.md")

    for name, said in explanations(part).items():
        row = rf"\| `{name.removesuffix('_')}` \| .*{re.escape(' '.join(said.split()))}"
        assert re.search(row, text), name


@pytest.mark.parametrize("document", ["docs/settings.md", ".env.example"])
def test_every_variable_of_the_environment_is_documented(document: str) -> None:
    assert variables() >= {"SKENE_DATABASE_URL", "SKENE_ENV", "RESEND_API_KEY"}
    assert [name for name in sorted(variables()) if name not in read(document)] == []


def test_no_variable_is_documented_that_nothing_reads() -> None:
    documented = set(re.findall(r"^# (\w+)=", read(".env.example"), re.MULTILINE))

    assert documented == variables()


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_every_target_of_the_makefile_is_in_its_help() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert re.findall(r"^  make (\w+)", shown, re.MULTILINE) == targets()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_a_document_names_only_commands_that_exist(document: str) -> None:
    text = read(document)

    assert set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s]*(?:[`#]|$))", text, re.MULTILINE)) <= set(targets())
    assert set(re.findall(r"`?skene-dagster ([a-z]+)\b", text)) <= set(SUMMARIES)


def test_every_command_is_documented() -> None:
    described = set(re.findall(r"^#+ .*?`?skene-dagster ([a-z-]+)`?", read("docs/cli.md"), re.MULTILINE))

    assert described == set(SUMMARIES)


@pytest.mark.parametrize("document", sorted(["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"]))
def test_a_link_leads_to_a_file(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", read(document))

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_gives_the_two_commands_that_a_stranger_needs() -> None:
    first = re.search(r"^```\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)

    assert first is not None
    assert re.findall(r"^make (\w+)", first[1], re.MULTILINE) == ["demo", "test"]


def test_the_loop_in_the_readme_is_one_that_runs(tmp_path: Path) -> None:
    loop = re.search(r"^```yaml\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    assert loop is not None
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    shutil.copy(ROOT / "skene.yaml", tmp_path)
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops" / "readme.yaml").write_text(loop[1], encoding="utf-8")

    project = load_project(load(tmp_path, {}))

    assert [str(broken.error) for broken in project.broken] == []
    assert [(plan.name, plan.not_yet) for plan in project.loops] == [("retention", ())]


def test_the_example_project_is_right() -> None:
    project = load_project(load(ROOT, {}))

    assert [str(broken.error) for broken in project.broken] == []
    assert project.loops


def test_every_feature_of_tidb_that_is_recognized_is_documented() -> None:
    documented = re.findall(r"^\| `tidb:(\w+)` \| (.*) \|$", read("docs/tidb-usage.md"), re.MULTILINE)

    assert documented == [(name, feature.title) for name, feature in FEATURES.items()]
