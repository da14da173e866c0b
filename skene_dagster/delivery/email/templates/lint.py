"""What a template's Jinja may contain: known filters and names, nothing that escapes the sandbox or the escaping."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from skene_dagster.codes import Code
from skene_dagster.delivery.email.mjml.source import Fault
from skene_dagster.delivery.email.templates.trees import every
from skene_dagster.documents import nearest
from skene_dagster.loops.planning.expressions import in_jinja

_REFUSED: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Include, "include"),
    (nodes.Extends, "extends"),
    (nodes.Import, "import"),
    (nodes.FromImport, "from"),
    (nodes.ScopedEvalContextModifier, "autoescape"),
)


_IN_CSS = "In a style sheet put a space between: { #logo { … } }. Or close it with #}."

_NO_FIELDS: Mapping[str, Sequence[str]] = {}


def lint(
    environment: SandboxedEnvironment,
    source: str,
    provided: Sequence[str],
    fields: Mapping[str, Sequence[str]] = _NO_FIELDS,
    by: str = "step",
) -> list[Fault]:
    """List what is wrong with a template's Jinja, with the lines of `source`.

    Args:
        provided: the names that may be used, in the order in which they are shown.
        fields: what those of them have that have parts.
        by: what provides them, in a word.
    """
    faults, names = _read(environment, source)
    unknown = (_not_provided(name, line, provided, by) for name, line in names.items() if name not in provided)
    return [*faults, *unknown, *_unknown_fields(environment, source, fields)]


def _unknown_fields(
    environment: SandboxedEnvironment, source: str, fields: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    try:
        tree = environment.parse(source) if fields else nodes.Template([])
    except TemplateSyntaxError:
        return
    for node in tree.find_all(nodes.Getattr):
        if not isinstance(node.node, nodes.Name) or node.node.name not in fields:
            continue
        known = fields[node.node.name]
        if node.attr not in known:
            message = f"{node.node.name} has no {node.attr!r}; it has: {', '.join(known)}."
            yield Fault(node.lineno, message, _meant(node.attr, known), code=Code.NOT_PROVIDED)


def names_used(environment: SandboxedEnvironment, source: str) -> frozenset[str]:
    """Name what the template takes from its context."""
    return frozenset(_read(environment, source)[1])


@lru_cache(maxsize=256)
def _read(environment: SandboxedEnvironment, source: str) -> tuple[tuple[Fault, ...], Mapping[str, int | None]]:
    """List what is wrong whatever is provided, and the names that must be, each with its first line.

    Loops share templates, and each file is read in five ways: this is most of the time in which a loop loads.
    """
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError as bad:
        return (_no_jinja(bad, source),), {}
    found = every(tree)
    faults = (*_constructs(found), *_functions(environment, found), *_swallowed(environment, source))
    try:
        names = sorted(find_undeclared_variables(tree) - {"range"})
    except TemplateSyntaxError as bad:
        return (*faults, _no_jinja(bad, source)), {}
    lines = _first_lines(found)
    return faults, {name: lines.get(name) for name in names}


def _no_jinja(bad: TemplateSyntaxError, source: str) -> Fault:
    if bad.message == "Missing end of comment tag":
        return Fault(bad.lineno, "{# begins a Jinja comment, which is never closed.", _IN_CSS, code=Code.JINJA)
    lines = source.splitlines() or [""]
    line = lines[min(bad.lineno, len(lines)) - 1]
    return Fault(bad.lineno, f"This is not Jinja: {bad.message}", in_jinja(line), code=Code.JINJA)


def _swallowed(environment: SandboxedEnvironment, source: str) -> Iterator[Fault]:
    """Find comments that end where another was meant to: what is between them is silently lost."""
    for line, kind, value in environment.lex(source) if "{#" in source else ():
        if kind == "comment" and "{#" in value:
            yield Fault(line, "{# begins a Jinja comment, in which another one begins.", _IN_CSS, code=Code.JINJA)


def _constructs(found: Sequence[nodes.Node]) -> Iterator[Fault]:
    refused = dict(_REFUSED)
    for node in found:
        name = refused.get(type(node))
        if name is None:
            continue
        advice = (
            "Values are always escaped." if name == "autoescape" else "A template is one file of MJML and one of text."
        )
        yield Fault(node.lineno, f"{{% {name} %}} is not allowed.", advice, code=Code.JINJA)


def _functions(environment: SandboxedEnvironment, found: Sequence[nodes.Node]) -> Iterator[Fault]:
    # Jinja2 3.1, 2026-11: names are not found in a template with an unknown filter or test; it gets a known one.
    for node in found:
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            if node.name == "safe":
                advice = "A user's value is never markup; remove the filter."
                yield Fault(node.lineno, "|safe is not allowed.", advice, code=Code.JINJA)
            else:
                yield Fault(
                    node.lineno,
                    f"|{node.name} is not a filter.",
                    _meant(node.name, environment.filters),
                    code=Code.JINJA,
                )
            node.name = "string"
        elif isinstance(node, nodes.Test) and node.name not in environment.tests:
            yield Fault(
                node.lineno, f"'is {node.name}' is not a test.", _meant(node.name, environment.tests), code=Code.JINJA
            )
            node.name = "defined"


def _first_lines(found: Sequence[nodes.Node]) -> dict[str, int]:
    lines: dict[str, int] = {}
    for node in found:
        if isinstance(node, nodes.Name) and node.ctx == "load":
            lines[node.name] = min(node.lineno, lines.get(node.name, node.lineno))
    return lines


def _not_provided(name: str, line: int | None, provided: Sequence[str], by: str) -> Fault:
    return Fault(
        line,
        f"{{{{ {name} }}}} is not provided; the {by} provides: {', '.join(provided) or 'nothing'}.",
        _meant(name, provided),
        code=Code.NOT_PROVIDED,
    )


def _meant(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"Did you mean {near[0]}?" if near else ""
