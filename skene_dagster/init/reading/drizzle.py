"""Tables from Drizzle's schema, in TypeScript: calls of `mysqlTable`, read and never executed."""

import re
from collections.abc import Iterator, Sequence

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Column, Schema, Table

_CREATOR = re.compile(r"(\w+)\s*=\s*mysqlTableCreator\(\s*\(?\w+\)?\s*=>\s*`([^`$]*)\$\{\w+\}`")
_TYPES = {"serial": "bigint unsigned", "boolean": "tinyint(1)", "mysqlEnum": "enum"}


def read(sources: Sequence[Source]) -> Schema | None:
    """Read the tables; a column that a spread brings stays unknown."""
    parser = Parser(Language(tree_sitter_typescript.language_typescript()))
    found: dict[str, Table] = {}
    variables: dict[str, str] = {}
    for source in sources:
        creators = {"mysqlTable": "", **dict(_CREATOR.findall(source.text))}
        for variable, call in _calls(parser.parse(source.text.encode()).root_node, creators):
            table = _table(call, creators, variables)
            if table is not None:
                found[table.name] = table
                variables[variable] = table.name
    return Schema(sources[0].path, tuple(found.values()), "Drizzle") if found else None


def _calls(root: Node, creators: dict[str, str]) -> Iterator[tuple[str, Node]]:
    """List the calls that make tables, and the variable that each is kept in."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "variable_declarator" and (value := node.child_by_field_name("value")) is not None:
            function = value.child_by_field_name("function") if value.type == "call_expression" else None
            if function is not None and _text(function) in creators:
                yield _text(node.child_by_field_name("name")), value
        waiting += reversed(node.children)


def _table(call: Node, creators: dict[str, str], variables: dict[str, str]) -> Table | None:
    arguments = _arguments(call)
    if len(arguments) < 2 or arguments[0].type != "string" or arguments[1].type != "object":
        return None
    name = creators[_text(call.child_by_field_name("function"))] + _text(arguments[0]).strip("'\"")
    columns, primary = [], []
    for pair in arguments[1].named_children:
        if pair.type != "pair":
            continue
        key = _text(pair.child_by_field_name("key")).strip("'\"")
        chain = _text(pair.child_by_field_name("value"))
        kind = re.match(r"(?:\w+\.)?(\w+)\(\s*(?:['\"](\w+)['\"])?", chain)
        if kind is None:
            continue
        is_key = ".primaryKey(" in chain
        points = re.search(r"\.references\(\s*\(\)[^=]*=>\s*(\w+)\.", chain)
        column = Column.of(
            kind[2] or key,
            _declared(kind[1], chain),
            nullable=not is_key and ".notNull(" not in chain,
            unique=is_key or ".unique(" in chain,
            refers_to=variables.get(points[1], "") if points else "",
        )
        columns.append(column)
        primary += [column.name] if is_key else []
    return Table(name, tuple(columns), tuple(primary))


def _declared(kind: str, chain: str) -> str:
    length = re.search(r"length:\s*(\d+)", chain)
    declared = _TYPES.get(kind, kind)
    return f"{declared}({length[1]})" if length and "char" in declared else declared


def _arguments(call: Node) -> list[Node]:
    given = call.child_by_field_name("arguments")
    return [one for one in given.named_children if one.type != "comment"] if given is not None else []


def _text(node: Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""
