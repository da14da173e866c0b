"""What a command prints: in colour on a terminal, plain and at most 80 columns wide when piped."""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from skene_dagster.errors import DocumentError, SkeneError

LABEL = 8
"""The width of a line's label; the lines that belong to it are indented as much."""

COUNT = 9
"""The width of a number before what it counts."""

WIDEST = 100
"""Sentences are wrapped at this width, however wide the terminal is."""

_STYLES = {"ok": "green", "error": "bold red", "notice": "yellow"}


class Screen:
    """A stream that is written line by line; no text given to it can control the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def width(self) -> int:
        """The columns that text may take."""
        return min(self._console.width, WIDEST)

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line as it is."""
        self._console.print(Text(printable(text), style), soft_wrap=True)

    def paragraph(self, text: str, indent: int = 0, style: str = "") -> None:
        """Print sentences, wrapped to the width; lines of the text stay lines."""
        for line in text.splitlines():
            self.line(_wrapped(line, self.width, " " * indent), style)

    def labelled(self, label: str, text: str, below: str = "") -> None:
        """Print `label   text`, and the details below it."""
        body = _wrapped(text, self.width, " " * LABEL)[LABEL:] if not below else text
        head = (f"{label:<{LABEL}}", _STYLES.get(label, ""))
        self._console.print(Text.assemble(head, printable(body)), soft_wrap=True)
        if below:
            self.paragraph(below, LABEL)

    def error(self, error: SkeneError) -> None:
        """Print an error: where it is, what is wrong, what to do; several one after the other."""
        for single in error.errors if isinstance(error, DocumentError) else (error,):
            said = f"{single.message} {single.advice}".strip()
            if single.place is None:
                self.labelled("error", said)
            else:
                self.labelled("error", str(single.place), said)

    def facts(self, named: Mapping[str, str]) -> None:
        """Print names and values, in two columns."""
        indent = max(len(name) for name in named) + 4
        for name, value in named.items():
            body = _wrapped(printable(value), self.width, " " * indent)[indent:]
            self._console.print(Text.assemble((f"  {name:<{indent - 2}}", "dim"), body), soft_wrap=True)

    def counted(self, number: int, what: str) -> None:
        """Print a number, and what it is the number of."""
        body = _wrapped(printable(what), self.width, " " * COUNT)[COUNT:]
        self._console.print(Text(f"{number:>{COUNT - 2},}  {body}"), soft_wrap=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show progress on a terminal, and leave no trace of it; yield a function that updates the text."""
        if not self._console.is_terminal:
            yield lambda _: None
            return
        spinner = Spinner("dots", Text(printable(what)), style="green")
        # Not Console.status(): that takes standard output over, and with it what was redirected elsewhere.
        with Live(
            spinner,
            console=self._console,
            transient=True,
            refresh_per_second=10,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield lambda newer: spinner.update(text=Text(printable(newer)))


def open_screen(*, stderr: bool = False) -> Screen:
    """Open standard output, or standard error."""
    # The stream as it is now: what is redirected later does not take the screen with it.
    stream = sys.stderr if stderr else sys.stdout
    return Screen(Console(file=stream, highlight=False, markup=False, emoji=False))


def confirmed(question: str) -> None:
    """Ask before something that cannot be undone.

    Raises:
        click.UsageError: nobody is there to answer.
        click.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for confirmation; use --yes.")
    click.confirm(question, abort=True)


def mask(address: str) -> str:
    """Mask an address: `a…@example.com`."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"


# What joins an emoji or the letters of a name, and the letters of a flag: nothing of it steers a terminal.
_JOINS = frozenset({"\n", "\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))})


def printable(text: str) -> str:
    """Replace characters that control a terminal (a name in the database may contain anything)."""
    return "".join(c if c.isprintable() or c in _JOINS else "\N{REPLACEMENT CHARACTER}" for c in text)


def _wrapped(line: str, width: int, indent: str) -> str:
    # A line that is indented by its author (an SQL example) keeps its shape.
    if line.startswith("  "):
        return indent + line
    return textwrap.fill(
        line, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
