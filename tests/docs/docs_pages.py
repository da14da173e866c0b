"""The pages of the project, read into what can be checked: code blocks, tables, and the code within sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "data/README.md"),
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
)

_FENCE = re.compile(r"^```(.*)$")
_CELL = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Place:
    """Where something stands: `docs/cli.md:17`, and under which headings."""

    page: str
    line: int
    headings: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def heading(self) -> str:
        return self.headings[-1] if self.headings else ""


@dataclass(frozen=True)
class Block:
    """A code block; `kind` is what its first line says: `sh`, `text usage`, `yaml`."""

    place: Place
    kind: str
    title: str
    """The file that it is, where it is one."""
    text: str


@dataclass(frozen=True)
class Table:
    """A table: its header, and each row with its line."""

    place: Place
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def at(self, line: int) -> str:
        return f"{self.place.page}:{line}"


@dataclass(frozen=True)
class Code:
    """A piece of code within a sentence or a table."""

    place: Place
    text: str


@dataclass(frozen=True)
class Page:
    """What stands on a page."""

    blocks: tuple[Block, ...]
    tables: tuple[Table, ...]
    code: tuple[Code, ...]


@cache
def page(name: str) -> Page:
    """Read a page."""
    blocks: list[Block] = []
    tables: list[Table] = []
    code: list[Code] = []
    headings: list[str] = []
    lines = enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
    for number, line in lines:
        if title := re.match(r"(#+) (.*)", line):
            headings[len(title[1]) - 1 :] = [title[2]]
        place = Place(name, number, tuple(headings))
        if fence := _FENCE.match(line):
            blocks.append(_block(place, fence[1], lines))
            continue
        code += [Code(place, found.replace("\\|", "|")) for found in _CODE.findall(line)]
        if line.startswith("|"):
            if tables and tables[-1].place.line + len(tables[-1].rows) + 1 == number:
                tables[-1] = replace(tables[-1], rows=(*tables[-1].rows, (number, _cells(line))))
            else:
                tables.append(Table(place, _cells(line), ()))
    # The first row is the line of dashes.
    return Page(tuple(blocks), tuple(replace(table, rows=table.rows[1:]) for table in tables), tuple(code))


def blocks() -> list[Block]:
    return [block for name in PAGES for block in page(name).blocks]


def tables() -> list[Table]:
    return [table for name in PAGES for table in page(name).tables]


def code() -> list[Code]:
    return [found for name in PAGES for found in page(name).code]


def in_code(cell: str) -> list[str]:
    """List what stands in backquotes."""
    return _CODE.findall(cell)


def _block(place: Place, said: str, lines: Iterator[tuple[int, str]]) -> Block:
    text: list[str] = []
    for _, line in lines:
        if line.startswith("```"):
            break
        text.append(line)
    else:
        raise AssertionError(f"{place}: the code block is never closed")
    title = re.search(r' title="([^"]*)"$', said)
    return Block(
        place, said.removesuffix(title[0]) if title else said, title[1] if title else "", "\n".join(text) + "\n"
    )


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip())[1:-1])
