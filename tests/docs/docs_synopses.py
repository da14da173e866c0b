"""How a page says that a command is called, and how it is."""

import re
from dataclasses import dataclass

import click

TOKEN = re.compile(r"[\[\]|]|[^\s\[\]|…]+|…")


@dataclass(frozen=True)
class Part:
    """An option or an argument of a command."""

    name: str
    takes_value: bool
    required: bool


def shown(text: str) -> set[Part]:
    """Read `LOOP [--step NAME]`: what stands in brackets, or is one of several, may be left out."""
    tokens = TOKEN.findall(re.sub(r"(?<=\w)\|(?=\w)", "/", text))
    parts: set[Part] = set()
    depth = 0
    one_of_several = "|" in _outside_brackets(tokens)
    before = ""
    for token, after in zip(tokens, (*tokens[1:], ""), strict=False):
        if token in "[]":
            depth += 1 if token == "[" else -1
        elif token.startswith("-"):
            parts.add(Part(token, bool(after) and after not in "[]|" and not after.startswith("-"), not depth))
        elif token not in {"|", "…"} and not before.startswith("--"):
            parts.add(Part(token, takes_value=True, required=not depth and not one_of_several))
        before = token
    return {_optional(part) for part in parts} if one_of_several else parts


def of_command(command: click.Command) -> set[Part]:
    """Read it from the command."""
    return {
        Part(
            parameter.opts[0] if isinstance(parameter, click.Option) else (parameter.human_readable_name.upper()),
            takes_value=not (isinstance(parameter, click.Option) and parameter.is_flag),
            required=parameter.required,
        )
        for parameter in command.params
    }


def _optional(part: Part) -> Part:
    return Part(part.name, part.takes_value, required=False)


def _outside_brackets(tokens: list[str]) -> list[str]:
    depth, outside = 0, []
    for token in tokens:
        depth += {"[": 1, "]": -1}.get(token, 0)
        if not depth:
            outside.append(token)
    return outside
