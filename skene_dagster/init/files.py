"""The files of a proposed project, all of them computed before any is written."""

import re
from importlib.resources import files as resources
from pathlib import Path

from skene_dagster.init.choosing.columns import When
from skene_dagster.init.first_loop import first_loop
from skene_dagster.init.proposal import Proposal
from skene_dagster.settings import FILE

AGENTS = "AGENTS.md"
IGNORED = ".gitignore"

_HOME = "https://app.example.com/"
_WIDEST = 110


def project_files(proposal: Proposal, folder: Path) -> dict[str, str]:
    """Compute every file by its path in the project; that of AGENTS.md is its section alone."""
    loop = first_loop(proposal)
    product = product_name(folder)
    rules = template("rules.md")
    filled = {
        "@@PRODUCT@@": product,
        "@@HOME@@": _HOME,
        "@@LOOP@@": loop.name,
        "@@SOURCE@@": _one_line(proposal.source),
    }
    texts = {
        FILE: template("skene.yaml").replace("@@TABLES@@", _tables(proposal)),
        f"loops/{loop.name}.yaml": loop.text,
        "templates/re_engagement.mjml": template("re_engagement.mjml"),
        "templates/re_engagement.txt": template("re_engagement.txt"),
        "workspace.yaml": template("workspace.yaml"),
        "dagster.yaml": template("dagster.yaml"),
        ".env.example": template("env.example"),
        IGNORED: template("gitignore"),
        ".github/workflows/skene.yaml": template("ci.yaml"),
        AGENTS: rules,
        ".cursor/rules/skene.mdc": template("skene.mdc") + rules,
        ".claude/skills/skene-loops/SKILL.md": template("SKILL.md") + rules,
    }
    for mark, value in filled.items():
        texts = {path: text.replace(mark, value) for path, text in texts.items()}
    return texts


def template(name: str) -> str:
    """Read a file that travels in the package."""
    return (resources("skene_dagster.init") / "templates" / name).read_text(encoding="utf-8")


def product_name(folder: Path) -> str:
    """Guess what the product is called: as the folder is, which may hold anything."""
    words = re.findall(r"[A-Za-z0-9]+", folder.name)
    return " ".join(word if word.isupper() else word.capitalize() for word in words)[:40] or "Your Product"


def _one_line(text: str) -> str:
    """Keep a name, which may hold anything, within the comment that it stands in."""
    return "".join(character if character.isprintable() else " " for character in text)


def _tables(proposal: Proposal) -> str:
    """Write `users` and `events`."""
    fields: list[tuple[str, str]] = [
        ("table", proposal.table.name),
        ("key", proposal.key),
        ("email", proposal.email),
    ]
    fields += [
        (field, value)
        for field, value in (
            ("name", proposal.name),
            ("timezone", proposal.timezone),
            ("locale", proposal.locale),
            ("created_at", _moments(proposal.created)),
            ("updated_at", _moments(proposal.updated)),
            ("plan", proposal.plan),
        )
        if value
    ]
    lines = [f"# {line}" for line in _wrapped(f"{proposal.table.name}: {proposal.why}.")]
    lines += ["users:", *(f"  {field}: {value}" for field, value in fields)]
    if proposal.mailable:
        tests = [f"{one.sql}  -- {one.why}" for one in proposal.mailable]
        lines += ["  mailable: |", f"    {tests[0]}", *(f"    AND {test}" for test in tests[1:])]
    events = proposal.events
    if events is not None and proposal.named_by is not None:
        user = events.user.name
        if proposal.named_by != proposal.key:
            user = f"{{column: {user}, is: {proposal.named_by}}}"
        lines += ["", "events:", f"  table: {events.table.name}", f"  key: {events.key}", f"  user: {user}"]
        lines += [f"  name: {events.name.name}", f"  at: {_moments(events.at)}"]
        lines += [f"  arrived: {_moments(events.arrived)}"] if events.arrived is not None else []
    return "\n".join(lines) + "\n"


def _moments(when: When | None) -> str:
    if when is None:
        return ""
    return when.column if when.unit is None else f"{{column: {when.column}, unit: {when.unit}}}"


def _wrapped(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) >= _WIDEST:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]
