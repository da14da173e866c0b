"""A version of a project, read as a whole."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from skene_dagster.documents import together
from skene_dagster.errors import DocumentError, VersionNotFound
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load
from skene_dagster.versions.git_files import checked_out


@dataclass(frozen=True)
class Version:
    """What the files of a project say."""

    settings: Settings
    loops: tuple[LoopPlan, ...]

    def plan(self, name: str) -> LoopPlan | None:
        """Find a loop by its name; None: it has none of it."""
        return next((plan for plan in self.loops if plan.name == name), None)


def read(root: Path, environ: Mapping[str, str] = os.environ) -> Version:
    """Read the files of a folder.

    Raises:
        DocumentError: a file is wrong; all of them are named.
    """
    return _planned(load(root, environ))


def _planned(settings: Settings) -> Version:
    project = load_project(settings)
    if project.broken:
        raise together(error for broken in project.broken for error in broken.error.errors)
    return Version(settings, project.loops)


@contextmanager
def read_before(
    now: Version, *, ref: str, folder: Path | None, environ: Mapping[str, str] = os.environ
) -> Iterator[Version]:
    """Read the files as they were before, at a git ref or in another folder; they are asked of the present database.

    Raises:
        VersionNotFound: there is no such ref, or no such folder.
        DocumentError: a file of then is wrong; its place names the version, as git does (`main:loops/win_back.yaml:3`).
    """
    with ExitStack() as opened:
        with _named(str(folder) if folder else ref):
            root = opened.enter_context(_folder(now.settings.root, ref, folder))
            settings = replace(load(root, environ), database_url=now.settings.database_url)
            # Before the project began there were no loops, which of a project today would be a mistake.
            before = _planned(settings) if any(settings.loops.glob("*")) else Version(settings, ())
        yield before


@contextmanager
def _folder(root: Path, ref: str, folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with checked_out(root, ref) as made:
            yield made
    elif folder.is_dir():
        yield folder.absolute()
    else:
        raise VersionNotFound(f"There is no folder {str(folder)!r}.", advice="Name one that has a project.")


@contextmanager
def _named(version: str) -> Iterator[None]:
    try:
        yield
    except DocumentError as bad:
        for error in bad.errors:
            if error.place is not None:
                error.place = replace(error.place, file=f"{version}:{error.place.file}")
        raise
