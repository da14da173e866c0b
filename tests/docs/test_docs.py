"""What holds the pages together: links, variables, the commands of make, the example project itself."""

import re
import shutil
import subprocess

import pytest
from docs_authoring_rules import variables_read
from docs_pages import PAGES, ROOT

from skene_dagster.project import load_project
from skene_dagster.settings import load


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(name: str) -> set[str]:
    """The headings of a page as GitHub makes links of them."""
    headings = re.findall(r"^#+ (.*)", read(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file_and_to_a_heading_of_it(page: str) -> None:
    wrong = []
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", read(page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        there = target.exists() and (not anchor or anchor in anchors(str(target.resolve().relative_to(ROOT))))
        wrong += [] if there else [link]

    assert wrong == []


def test_the_readme_begins_with_what_a_stranger_needs() -> None:
    first = re.search(r"^```sh\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)

    assert first is not None
    assert re.findall(r"^(make \w+|\. \S+)", first[1], re.MULTILINE) == [
        "make demo",
        ". .venv/bin/activate",
        "make test",
    ]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_every_target_of_the_makefile_is_in_its_help() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    targets = re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE)
    assert re.findall(r"^  make (\w+)", shown, re.MULTILINE) == targets


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_every_variable_is_in_the_example_and_survives_the_shell() -> None:
    lines = re.findall(r"^# (\w+=.*)$", read(".env.example"), re.MULTILINE)
    filled = "\n".join(lines)

    names = [line.partition("=")[0] for line in lines]
    taken = subprocess.run(
        ["bash", "-c", f"set -aeu\n{filled}\nfor name in {' '.join(names)}; do printf '%s\\n' \"${{!name}}\"; done"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert {*names} == variables_read()
    assert [f"{name}='{value}'" for name, value in zip(names, taken, strict=True)] == lines


def test_the_example_project_is_right() -> None:
    project = load_project(load(ROOT, {}))

    assert [str(broken.error) for broken in project.broken] == []
    assert project.loops
