"""The site of `make docs`: built strictly, without a network, from the pages that GitHub shows."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs_pages import PAGES, ROOT

SITE = ROOT / "docs" / "site"


def build(source: Path, out: Path, *, builder: str = "html") -> subprocess.CompletedProcess[str]:
    """Build it as the Makefile does, into a folder of its own."""
    line = re.search(r"^docs:.*\n\t\$\(BIN\)/(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    command = shlex.split(line[1])
    asked = command[1 : command.index("-c")]
    return subprocess.run(
        [sys.executable, *asked, "-b", builder, "-c", str(SITE), "-d", str(out / "pages"), str(source), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert (done.returncode, done.stderr) == (0, "")
    return out


def test_every_page_is_in_the_site_and_in_the_list_for_agents(site: Path) -> None:
    listed = re.findall(r"^- \[.+\]\(_sources/(.+)\): .+\.$", (site / "llms.txt").read_text("utf-8"), re.MULTILINE)

    assert {*listed, "README.md"} == {*PAGES}
    assert [page for page in PAGES if not (site / page).with_suffix(".html").is_file()] == []
    assert [page for page in listed if not (site / "_sources" / page).is_file()] == []
    assert (site / "index.html").read_text("utf-8") == (site / "README.html").read_text("utf-8")


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r"<(?:script|img|iframe|source)[^>]*?\bsrc=[\"']?([^\"'\s>]+)"
        r"|<link(?![^>]*rel=\"(?:canonical|next|prev|index|search)\")[^>]*?\bhref=[\"']?([^\"'\s>]+)"
        r"|url\([\"']?([^\"')]+)|@import [\"']([^\"']+)"
    )

    found = {
        address
        for file in (*site.rglob("*.html"), *site.rglob("*.css"))
        for groups in loads.findall(file.read_text(encoding="utf-8"))
        for address in groups
        if address
    }

    assert any(address.startswith("_static/") for address in found)
    assert [one for one in found if re.match(r"(\w+:)?//", one)] == []


def test_a_dead_link_or_a_page_in_no_navigation_fails(tmp_path: Path) -> None:
    source = tmp_path / "clone"
    for page in PAGES:
        (source / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, source / page)
    (source / "docs" / "start.md").write_text("# Start\n\n[a](gone.md) [b](cli.md#gone) [c](gone.yaml)\n", "utf-8")
    (source / "docs" / "hidden.md").write_text("# Hidden\n", "utf-8")

    done = build(source, tmp_path / "out", builder="dummy")

    assert done.returncode != 0
    of_the_two = [line for line in done.stderr.splitlines() if re.search(r"docs/(start|hidden)\.md", line)]
    assert len(of_the_two) == 4, done.stderr
    for what in ("gone.md", "'gone'", "gone.yaml", "hidden.md: WARNING: document isn't included in any toctree"):
        assert any(what in line for line in of_the_two), what
