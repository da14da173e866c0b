"""Writing the files of a proposed project: what is there is never overwritten."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skene_dagster.errors import Place, SettingsError
from skene_dagster.files import read_text
from skene_dagster.init.files import AGENTS, IGNORED

BEGIN = "<!-- skene-dagster: begin (made by `skene-dagster init`; edit outside of it) -->"
END = "<!-- skene-dagster: end -->"

State = Literal["new", "unchanged", "section", "differs"]


@dataclass(frozen=True)
class Planned:
    """A file, and what will be done about it."""

    path: str
    text: str
    """What is written; with `differs` beside the file, as `<path>.new`."""
    state: State
    there: str = ""
    """What the file has now."""

    @property
    def target(self) -> str:
        """The path that is written."""
        return f"{self.path}.new" if self.state == "differs" else self.path

    def diff(self) -> list[str]:
        """Compare what is there with what is proposed."""
        lines = difflib.unified_diff(
            self.there.splitlines(), self.text.splitlines(), self.path, self.target, lineterm="", n=1
        )
        return list(lines)


def plan(root: Path, texts: Mapping[str, str]) -> list[Planned]:
    """Say what to do about each file. Nothing is written.

    Raises:
        SettingsError: a path is not a file, or cannot be read; AGENTS.md has our first marker and not the last.
    """
    return [_plan(root, path, text) for path, text in texts.items()]


def write(root: Path, planned: list[Planned]) -> None:
    """Write what was planned.

    Raises:
        SettingsError: a file cannot be written.
    """
    for one in planned:
        if one.state == "unchanged":
            continue
        # A link inside of the project stays one.
        file = (root / one.target).resolve()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}.{os.getpid()}")
            part.write_text(one.text, encoding="utf-8")
            part.replace(file)
        except OSError as bad:
            raise SettingsError(
                f"The file cannot be written: {bad.strerror}.",
                advice="The files before it were. Make room for it, and run init again: it goes on from there.",
                place=Place(one.target),
            ) from None


def _plan(root: Path, path: str, text: str) -> Planned:
    if not os.path.lexists(root / path):
        return Planned(path, _section(text) if path == AGENTS else text, "new")
    there = read_text(root / path, path, SettingsError, root=root)
    if path == AGENTS:
        merged = _merged(there, text)
        return Planned(path, merged, "unchanged" if merged == there else "section", there)
    if there == text or (path == IGNORED and {*text.split()} <= {*there.split()}):
        return Planned(path, text, "unchanged", there)
    return Planned(path, text, "differs", there)


def _section(text: str) -> str:
    return f"{BEGIN}\n{text.strip()}\n{END}\n"


def _merged(there: str, text: str) -> str:
    """Put our section into somebody's file: where it was, or at its end."""
    before, begin, rest = there.partition(BEGIN)
    if not begin:
        return f"{there.rstrip()}\n\n{_section(text)}" if there.strip() else _section(text)
    _, end, after = rest.partition(END)
    if not end:
        raise SettingsError(
            f"The section that begins with `{BEGIN}` has no end.",
            advice=f"Write `{END}` after it, or remove the first marker.",
            place=Place(AGENTS, before.count("\n") + 1),
        )
    return before + _section(text).rstrip("\n") + after
