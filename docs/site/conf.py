"""The site that `make docs` builds from the pages of this clone, which are read on GitHub as they are.

Sphinx, because it is maintained, and strict by itself: a link to a page, heading or file that is not there fails, and
so does a page that is in no navigation. (2026-12: Material for MkDocs ends in May 2027; MkDocs 1 has had no release
since 2024, and its 2 is another program.) The source is the whole clone, so a link means the same here and on GitHub.
"""

import re
from importlib.metadata import version as installed
from pathlib import Path
from shutil import copyfile

from docutils import nodes
from sphinx.application import Sphinx

NAVIGATION = {
    "Start": ("docs/start", "docs/tutorial", "docs/questions", "docs/dagster-project"),
    "Write loops": (
        "docs/loop-format",
        "docs/engagement",
        "docs/tracking",
        "docs/tidb-usage",
        "docs/consent",
        "docs/outcomes",
    ),
    "Run them": ("docs/deploy", "docs/operate", "docs/tidb", "docs/sending", "docs/feedback", "docs/alerts"),
    "Look up": ("docs/cli", "docs/errors", "docs/settings", "docs/dagster", "docs/tables", "docs/frames"),
    "The project": ("ARCHITECTURE", "CONTRIBUTING", "CHANGELOG", "benchmarks/README", "data/README"),
}
"""Every page, by the part of the navigation that it is in; the first page is README.md."""

project = "skene_dagster"
version = release = installed("skene-dagster")
html_title = f"{project} {release}"
html_show_copyright = False
html_show_sphinx = False

root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "benchmarks/*.md", "data/*.md"]
exclude_patterns = [".*", "build", "dist", "*.egg-info"]

extensions = ["myst_parser"]
# Headings are linked as GitHub does it, which is MyST's own way, too.
myst_heading_anchors = 6
# No fonts and no scripts from elsewhere, which the site's test holds. Its colours follow the reader's system.
html_theme = "furo"
html_sourcelink_suffix = ""
pygments_style = "friendly"


def setup(app: Sphinx) -> None:
    app.connect("source-read", _add_what_github_does_not_show)
    app.connect("build-finished", _finish)


def _add_what_github_does_not_show(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put a block's file over it, and the navigation below the first page."""
    text = re.sub(
        r'^```(\w+) title="(.*)"$', r"```{code-block} \1" + "\n" + r":caption: \2" + "\n", source[0], flags=re.MULTILINE
    )
    if page == root_doc:
        for part, pages in NAVIGATION.items():
            listed = "\n".join(pages)
            text += f"\n```{{toctree}}\n:hidden:\n:caption: {part}\n\n{listed}\n```\n"
    source[0] = text


def _finish(app: Sphinx, error: Exception | None) -> None:
    """Write index.html, and llms.txt: the pages as coding agents read them, as Markdown, with what each is about."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    copyfile(site / f"{root_doc}.html", site / "index.html")
    lines = [f"# {project}", "", f"> {_first_sentence(app, root_doc)}"]
    for part, pages in NAVIGATION.items():
        lines += ["", f"## {part}", ""]
        lines += [
            f"- [{app.env.titles[page].astext()}](_sources/{page}.md): {_first_sentence(app, page)}" for page in pages
        ]
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _first_sentence(app: Sphinx, page: str) -> str:
    first = next(app.env.get_doctree(page).findall(nodes.paragraph)).astext()
    return re.split(r"(?<=\.) ", " ".join(first.split()))[0]
