"""The files of a project as they were at a git ref, written into a temporary folder."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from skene_dagster.documents import parse
from skene_dagster.errors import SettingsError, VersionNotFound
from skene_dagster.settings import FILE, ProjectFile, read_settings

_FILES = {"100644", "100755"}
_LINK = "120000"


@contextmanager
def checked_out(root: Path, ref: str) -> Iterator[Path]:
    """Write the settings, loops and templates of a project as they were at a ref into a folder, and remove it again.

    What the repository ignores or leaves out of archives is written, too, if it was committed. A folder that the ref
    does not have is empty.

    Raises:
        VersionNotFound: there is no git, no repository, or no such ref.
        SettingsError: its skene.yaml cannot be read.
    """
    commit = _commit(root, ref)
    with tempfile.TemporaryDirectory(prefix="skene-") as made:
        folder = Path(made)
        _write(root, commit, [FILE], folder)
        project = parse(ProjectFile, read_settings(folder), SettingsError)
        names = [project.loops, project.templates]
        _write(root, commit, names, folder)
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
        yield folder


def _commit(root: Path, ref: str) -> str:
    try:
        inside = _git(root, "rev-parse", "--git-dir")
    except FileNotFoundError:
        raise VersionNotFound(
            "There is no git on this machine.", advice="Install it, or compare with a folder: --against FOLDER."
        ) from None
    if inside.returncode:
        said = inside.stderr.decode(errors="replace").strip().removeprefix("fatal: ").splitlines()
        raise VersionNotFound(
            f"git cannot read the repository of the project: {said[0] if said else 'it says nothing'}",
            advice="Run it where the project is a git repository, or compare with a folder: --against FOLDER.",
        )
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode:
        raise VersionNotFound(
            f"git knows no commit {ref!r}.",
            advice="Name a branch, a tag or a commit that `git log` shows; in CI, fetch it first "
            "(actions/checkout: fetch-depth: 0).",
        )
    return found.stdout.decode().strip()


def _write(root: Path, commit: str, names: Sequence[str], folder: Path) -> None:
    listed = _git(root, "ls-tree", "-r", "-z", commit, "--", *names).stdout
    entries = [entry.partition("\t") for entry in listed.decode(errors="surrogateescape").split("\0") if entry]
    for described, _, path in entries:
        mode, _, blob = described.split()
        if mode not in {*_FILES, _LINK}:
            continue
        content = _git(root, "cat-file", "blob", blob).stdout
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if mode == _LINK:
            file.symlink_to(content.decode(errors="surrogateescape"))
        else:
            file.write_bytes(content)


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    # A ref is never taken for an option, and no pager or prompt waits for a person.
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)  # noqa: S603, S607 - no shell
