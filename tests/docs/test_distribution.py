"""What is published: the source distribution with documentation and tests, and the package's page on a registry."""

import email
import re
import runpy
import shutil
import subprocess
import sys
import tarfile

import pytest
from docs_pages import PAGES, ROOT

NOT_PUBLISHED = {".git", ".venv", ".venv-lowest", ".skene", "build", "dist", "skene_dagster.egg-info", "__pycache__"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tarfile.TarFile:
    clone, out = tmp_path_factory.mktemp("clone") / "clone", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, clone, ignore=lambda _folder, names: {*names} & NOT_PUBLISHED)
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    return tarfile.open(made)


def test_the_source_distribution_has_the_pages_the_tests_and_the_example(published: tarfile.TarFile) -> None:
    names = {name.partition("/")[2] for name in published.getnames()}

    folders = ("skene_dagster", "tests", "docs", "loops", "templates", "benchmarks", "deploy", "data")
    files = {
        str(file.relative_to(ROOT))
        for folder in folders
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert sorted({*files, *PAGES, "LICENSE", "Makefile", "constraints.txt", "skene.yaml", ".ci/run"} - names) == []
    assert [name for name in names if name.endswith(".pyc")] == []


def test_the_package_says_what_it_is_and_no_link_of_its_page_leads_nowhere(published: tarfile.TarFile) -> None:
    file = published.extractfile(f"{published.getnames()[0].partition('/')[0]}/PKG-INFO")
    assert file is not None
    said = email.message_from_bytes(file.read())

    assert said["Author"] == "The skene-dagster authors"
    assert "tidb" in said["Keywords"]
    assert "Programming Language :: Python :: 3.14" in said.get_all("Classifier", [])
    assert said["Description-Content-Type"] == "text/markdown"
    page = str(said.get_payload())
    assert page.startswith("# skene_dagster")
    assert re.findall(r"\]\((?!https://)[^)]*\)", page) == []


def test_with_an_address_every_link_and_picture_of_the_page_leads_there() -> None:
    page_of = runpy.run_path(str(ROOT / "setup.py"))["page_of"]

    page = page_of("[a](docs/cli.md#b) ![c](docs/d.png) [e](https://example.com)", "https://example.com/p/blob/v1")

    assert page == (
        "[a](https://example.com/p/blob/v1/docs/cli.md#b) "
        "![c](https://example.com/p/blob/v1/docs/d.png?raw=true) [e](https://example.com)"
    )


def test_the_readme_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150
