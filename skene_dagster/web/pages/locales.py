"""Which language a page is in: the email's if there is a page in it, else one that the browser asks for."""

import re
from collections.abc import Iterator, Sequence

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}")
_ASKED = re.compile(r"\s*([A-Za-z0-9-]{1,40})\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")

MOST_ASKED = 20
"""Languages that are read of a header."""

_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "iw", "ks", "ps", "sd", "ug", "ur", "yi"})
_SCRIPTS_TO_LEFT = frozenset({"arab", "hebr", "thaa"})


def tag_of(text: str) -> str:
    """Return a language tag (BCP 47) in lower case, `pt_BR` as `pt-br`; empty if it is none."""
    tag = text.strip().replace("_", "-")
    return tag.lower() if _TAG.fullmatch(tag) else ""


def asked_for(header: str) -> list[str]:
    """Read an Accept-Language header: the tags, the most wanted first."""
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:MOST_ASKED]:
        read = _ASKED.fullmatch(part)
        tag = tag_of(read[1]) if read else ""
        weight = float(read[2] or 1) if read else 0.0
        if tag and weight:
            found.append((-weight, tag))
    return [tag for _, tag in sorted(found, key=lambda one: one[0])]


def widening(tags: Sequence[str]) -> Iterator[str]:
    """List tags, each followed by what it is a part of: `pt-br`, `pt`."""
    for tag in tags:
        parts = tag.split("-")
        yield from ("-".join(parts[:length]) for length in range(len(parts), 0, -1))


def direction(tag: str) -> str:
    """Say how a language is written: `ltr` or `rtl`."""
    language, *more = tag.lower().split("-")
    scripts = [part for part in more if len(part) == 4 and part.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in _SCRIPTS_TO_LEFT else "ltr"
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"
