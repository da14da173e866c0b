"""The demo in an empty folder, with nothing but the wheel: its files travel in the package."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from test_demo import CONFIGURED

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = ("skene.yaml", "dagster.yaml", "workspace.yaml", "loops", "templates")
pytestmark = pytest.mark.long


def call(*command: object, cwd: Path) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in CONFIGURED}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, check=False, capture_output=True, text=True, env=environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's wheel, built from a copy: building leaves files beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("skene_dagster", *EXAMPLE, "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        if (REPOSITORY / name).is_dir():
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=without)
        else:
            shutil.copyfile(REPOSITORY / name, source / name)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "dist")
    try:
        call(*command, source, cwd=folder)
    except AssertionError as failed:
        if "No matching distribution found for setuptools" in str(failed):
            pytest.skip("setuptools, with which wheels are built, cannot be installed here")
        raise
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment of its own, which has the wheel, and what this one has of others."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder / ".venv", cwd=folder)
    (packages,) = (folder / ".venv" / "lib").glob("python*/site-packages")
    call(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages, wheel, cwd=folder)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / ".venv" / "bin" / "python"


def test_the_wheel_holds_the_example_as_it_stands_in_the_repository(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        prefix = "skene_dagster/demo/example/"
        held = {name.removeprefix(prefix): opened.read(name) for name in opened.namelist() if name.startswith(prefix)}

    places = [REPOSITORY / name for name in EXAMPLE]
    files = [file for place in places for file in (place.iterdir() if place.is_dir() else [place]) if file.is_file()]
    assert held == {file.relative_to(REPOSITORY).as_posix(): file.read_bytes() for file in files}


def test_in_an_empty_folder_it_writes_the_project_runs_it_and_dagster_loads_it(installed: Path, tmp_path: Path) -> None:
    program = "from skene_dagster.cli import main; main()"

    said = call(installed, "-I", "-c", program, "demo", "--users", "50", "--days", "1", cwd=tmp_path)

    where = call(installed, "-I", "-c", "import skene_dagster; print(skene_dagster.__file__)", cwd=tmp_path)
    assert str(installed.parents[1]) in where
    assert "The example project is written here" in said
    assert {one.name for one in tmp_path.iterdir()} == {*EXAMPLE, ".skene"}
    assert "yaml-language-server" not in (tmp_path / "skene.yaml").read_text(encoding="utf-8")
    assert "DAGSTER_HOME=$PWD/.skene/dagster dagster dev" in said
    assert (tmp_path / ".skene" / "dagster" / "dagster.yaml").is_file()
    call(installed, "-m", "dagster", "definitions", "validate", cwd=tmp_path)
    # Once more: it is the project that is there.
    assert "is written here" not in call(
        installed, "-I", "-c", program, "demo", "--users", "50", "--days", "1", cwd=tmp_path
    )


def test_a_folder_with_other_files_is_left_alone(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    done = subprocess.run(
        [str(installed), "-I", "-c", "from skene_dagster.cli import main; main()", "demo"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if name not in CONFIGURED},
    )  # fmt: skip

    assert done.returncode == 1
    assert "There is no folder loops/" in done.stderr + done.stdout
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]
