"""What the package reports to Dagster, read from its code: keys of metadata, checks, tags of runs."""

import ast
from collections.abc import Iterator

from docs_compare import PACKAGE

REPORTED = ("add_output_metadata", "MaterializeResult", "AssetCheckResult", "AssetCheckEvaluation")


def keys_reported() -> dict[str, set[str]]:
    """List the keys that stand in the code, by module; `week_{}` stands for several that are made alike."""
    found = {
        str(file.relative_to(PACKAGE / "compiler")): {*_keys(ast.parse(file.read_text(encoding="utf-8")))}
        for file in sorted((PACKAGE / "compiler").rglob("*.py"))
    }
    return {module: keys for module, keys in found.items() if keys}


def _keys(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None and _is_metadata(value):
                    yield from _name(key)
        if isinstance(node, ast.DictComp) and _is_metadata(node.value):
            yield from _name(node.key)
        if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(node.value, ast.Dict):
            # Numbers, which are made for Dagster all at once.
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == "numbers":
                for plain in filter(None, node.value.keys):
                    yield from _name(plain)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and _is_metadata(node.value):
            yield from _name(node.targets[0].slice)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in REPORTED:
            yield from _given(node)


def _given(call: ast.Call) -> Iterator[str]:
    for given in (*call.args, *(one.value for one in call.keywords)):
        for key in given.keys if isinstance(given, ast.Dict) else ():
            if key is not None:
                yield from _name(key)


def _is_metadata(value: ast.expr) -> bool:
    """Whether a value is made for Dagster: `MetadataValue.int(…)`, `_sql(…)`, `table(…)`."""
    if not isinstance(value, ast.Call):
        return False
    made_by = ast.unparse(value.func)
    return made_by.startswith("dg.MetadataValue.") or made_by in {"_sql", "_sample", "_outcomes", "table"}


def _name(key: ast.expr) -> Iterator[str]:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value
    if isinstance(key, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in key.values)
