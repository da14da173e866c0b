"""What the receiver found out about a message, as it wrote it at the top of it (Authentication-Results, RFC 8601)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from skene_dagster.delivery.received.domains import LONGEST_DOMAIN

LONGEST = 20_000
"""Characters of a header that are read."""

_RESULT = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)(?:\s*/\s*[0-9]+)?\s*=\s*([A-Za-z]+)")
_PROPERTY = re.compile(r"([A-Za-z][A-Za-z0-9_-]*\.[A-Za-z][A-Za-z0-9_-]*)\s*=\s*((?:\"[^\"]*\"|[^\s;\"])+)")


@dataclass(frozen=True)
class Result:
    """What one method said: `spf`, `dkim`, `dmarc`."""

    method: str
    result: str
    properties: Mapping[str, str]
    """By `smtp.mailfrom`, `header.d` and so on."""

    def domain(self, *names: str) -> str:
        """Return the domain that the first of some properties has."""
        found = next((self.properties[name] for name in names if self.properties.get(name)), "")
        return found.rpartition("@")[2].strip("<> ").lower()[:LONGEST_DOMAIN]


@dataclass(frozen=True)
class Results:
    """What one receiver said."""

    receiver: str
    results: Sequence[Result]

    def of(self, method: str) -> list[Result]:
        """List what it said by a method."""
        return [one for one in self.results if one.method == method]


def trusted(headers: Sequence[str]) -> Results | None:
    """Read what the receiver said whose header stands topmost; None if none did.

    Only that one is the mailbox's own: whoever sent the message could have written the others.
    """
    read = [_read(header) for header in headers]
    if not read:
        return None
    receiver = read[0].receiver
    # Some write a header for each method.
    return Results(receiver, [one for each in read if each.receiver == receiver for one in each.results])


def _read(header: str) -> Results:
    first, *others = _without_comments(header[:LONGEST]).split(";")
    # Exchange, 2026-11: it names itself in no header of some messages.
    names_itself = "=" not in first
    parts = others if names_itself else [first, *others]
    receiver = next(iter(first.split()), "") if names_itself else ""
    return Results(receiver.lower()[:LONGEST_DOMAIN], list(_results(parts)))


def _results(parts: Sequence[str]) -> Iterator[Result]:
    for part in parts:
        if found := _RESULT.match(part):
            properties = {name.lower(): value.strip('"') for name, value in _PROPERTY.findall(part)}
            yield Result(found[1].lower(), found[2].lower(), properties)


def _without_comments(text: str) -> str:
    """Take out what stands in parentheses, which may nest; they mean nothing within quotation marks."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"' and not depth:
            quoted = not quoted
        elif letter == "(" and not quoted:
            depth += 1
            continue
        elif letter == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(" " if quoted and letter == ";" else letter)
    return "".join(kept)
