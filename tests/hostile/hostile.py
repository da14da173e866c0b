"""What a hostile project is, and what must become of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Content = str | bytes | Callable[[Path], None]
"""A file's text or bytes; or what makes something else of its path: a pipe, a link."""


@dataclass(frozen=True)
class Hostile:
    """A project with something hostile in it."""

    files: Mapping[str, Content] = field(default_factory=dict)
    at: str = ""
    """Where its errors are, if there are any: `loops/bad.yaml:7`; a file alone where there is no line."""
    says: str = ""
    """Words of the error; empty where it may as well be harmless."""
    environ: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """What no output may show."""
    command: str = "validate"
    exit_code: int = 1
    """How the command ends, if it says something."""
    hides_all: bool = False
    """The settings or the environment are wrong, so that nothing can be said of loops."""
    renders: bool = False
    """Emails are made, too."""


def named(cases: Iterator[tuple[str, Hostile]]) -> dict[str, Hostile]:
    """Collect a family, each name once."""
    found: dict[str, Hostile] = {}
    for name, case in cases:
        assert name not in found, name
        found[name] = case
    return found
