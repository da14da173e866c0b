"""The commands that the pages show, and whether each has the options that it is given."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import click
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli
from docs_pages import ROOT, Block, Place, blocks, code

from skene_dagster.cli import main

PROGRAMS: dict[str, click.Command] = {
    "skene-dagster": main,
    "dagster": create_dagster_cli(),  # type: ignore[no-untyped-call]
    "dagster-daemon": create_dagster_daemon_cli(),
    "dagster-webserver": create_dagster_webserver_cli(),  # type: ignore[no-untyped-call]
}


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it, and where."""

    place: Place
    text: str

    @property
    def words(self) -> list[str]:
        """The words, without variables that are set before it and without what the shell does with its output."""
        words = shlex.split(self.text)
        while words and re.match(r"[A-Z_]+=", words[0]):
            del words[0]
        ends = [n for n, word in enumerate(words) if word in {"<", ">", "|", "&&"}]
        return words[: ends[0]] if ends else words


def lines(block: Block) -> list[str]:
    """List the commands of a block, without comments."""
    shown = (re.sub(r"(^|\s)#.*", "", line).rstrip() for line in block.text.splitlines())
    return [line for line in shown if line]


def shown() -> list[Shown]:
    """List all commands: of `sh` blocks, and those that stand within sentences and tables."""
    in_blocks = [Shown(block.place, line) for block in blocks() if block.kind == "sh" for line in lines(block)]
    programs = "|".join((*PROGRAMS, "make", "docker compose", "python -m"))
    within = [Shown(found.place, found.text) for found in code() if re.match(rf"({programs}) \S", found.text)]
    return [*in_blocks, *within]


def faults(words: list[str]) -> Iterator[str]:
    """Say what a command is called with that it does not have."""
    found: click.Command | None = PROGRAMS.get(words[0])
    if found is None:
        yield from _faults_elsewhere(words)
        return
    words = [word for word in words[1:] if word != "…"]
    while isinstance(found, click.Group):
        words = _without_options(found, words)
        if not words:
            return
        inner = found.get_command(click.Context(found), words[0])
        if inner is None:
            yield f"there is no command {words[0]!r}"
            return
        found, words = inner, words[1:]
    known = options(found)
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("-") and option not in known and option not in {"-h", "--help"}:
            yield f"{found.name} has no option {option}"


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def _without_options(group: click.Group, words: list[str]) -> list[str]:
    """Leave out what the group itself is told: `--project DIR`."""
    flags = {name: parameter for parameter in group.params for name in parameter.opts}
    while words and words[0] in flags:
        parameter = flags[words[0]]
        takes = isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.is_eager
        words = words[2 if takes else 1 :]
    return words


def _faults_elsewhere(words: list[str]) -> Iterator[str]:
    """Check what can be checked of a command that is not ours: targets, files, modules."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        yield from (f"there is no target {word!r}" for word in words[1:] if word.islower() and word not in targets)
    if words[:2] == ["docker", "compose"]:
        yield from (
            f"there is no file {file}"
            for option, file in pairwise(words)
            if option == "-f" and not (ROOT / file).is_file()
        )
    if words[:2] == ["python", "-m"]:
        module = ROOT / words[2].replace(".", "/")
        if not (module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()):
            yield f"there is no module {words[2]}"
