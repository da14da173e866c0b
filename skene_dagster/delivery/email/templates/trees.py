"""Jinja's trees: all nodes of one, and how deep it may be nested."""

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, nodes

DEEPEST = 50
"""How deep blocks and expressions may be nested."""
MOST_BITS = 256
"""Of a number."""
MOST_NODES = 25_000
"""Of a template; Jinja compiles so many in a second."""


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """List the nodes right below a node; at half the cost of Jinja's `iter_child_nodes`."""
    for name in node.fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            for item in value:
                if isinstance(item, nodes.Node):
                    yield item
        elif isinstance(value, nodes.Node):
            yield value


def every(tree: nodes.Node) -> list[nodes.Node]:
    """List all nodes of a tree, those of one level after those of the level above."""
    found: list[nodes.Node] = [tree]
    for node in found:
        found.extend(children(node))
    return found


def check_tree(tree: nodes.Node) -> None:
    """Refuse what Python, which a template becomes, would fail on.

    Raises:
        TemplateSyntaxError: it is nested too deeply, or has too much, or a number that is too large.
    """
    level: list[nodes.Node] = [tree]
    seen = 0
    for _ in range(DEEPEST + 1):
        level = [child for node in level for child in children(node)]
        seen += len(level)
        if seen > MOST_NODES:
            raise TemplateSyntaxError(
                f"It has more than {MOST_NODES:,} values, words and statements.", level[-1].lineno
            )
        for node in level:
            if isinstance(node, nodes.If) and len(node.elif_) > DEEPEST:
                raise TemplateSyntaxError("It has too many elif branches.", node.lineno)
            if isinstance(node, nodes.Const) and isinstance(node.value, int) and node.value.bit_length() > MOST_BITS:
                raise TemplateSyntaxError("A number is too large.", node.lineno)
    if level:
        raise TemplateSyntaxError("It is nested too deeply.", level[0].lineno)
