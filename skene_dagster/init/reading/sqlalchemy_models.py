"""Tables from SQLAlchemy's declarative models, by their syntax: nothing is imported."""

import ast
from collections.abc import Iterator, Sequence

from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Column, Schema, Table

_TYPES = {
    **dict.fromkeys(("String", "Unicode", "str", "Enum"), "varchar(255)"),
    **dict.fromkeys(("Text", "UnicodeText"), "text"),
    **dict.fromkeys(("Integer", "int", "SmallInteger"), "int"),
    **dict.fromkeys(("DateTime", "datetime"), "datetime"),
    **dict.fromkeys(("Boolean", "bool"), "tinyint(1)"),
    **dict.fromkeys(("Float", "Numeric", "float", "Decimal"), "double"),
    **dict.fromkeys(("Uuid", "UUID", "GUID"), "char(36)"),
    "BigInteger": "bigint",
    "TIMESTAMP": "timestamp",
    "Date": "date",
    "JSON": "json",
}
_FASTAPI_USERS = (
    Column.of("email", "varchar(320)", nullable=False, unique=True),
    Column.of("hashed_password", "varchar(1024)", nullable=False),
    Column.of("is_active", "tinyint(1)", nullable=False),
    Column.of("is_superuser", "tinyint(1)", nullable=False),
    Column.of("is_verified", "tinyint(1)", nullable=False),
)
_FLASK_SECURITY = (
    Column.of("id", "int", nullable=False, unique=True),
    Column.of("email", "varchar(255)", nullable=False, unique=True),
    Column.of("username", "varchar(255)", unique=True),
    Column.of("password", "varchar(255)"),
    Column.of("active", "tinyint(1)", nullable=False),
    Column.of("confirmed_at", "datetime"),
    Column.of("last_login_at", "datetime"),
    Column.of("current_login_at", "datetime"),
    Column.of("create_datetime", "datetime", nullable=False),
    Column.of("update_datetime", "datetime", nullable=False),
)
_MIXINS: dict[str, tuple[tuple[Column, ...], str]] = {
    "SQLAlchemyBaseUserTableUUID": (
        (Column.of("id", "char(36)", nullable=False, unique=True), *_FASTAPI_USERS),
        "user",
    ),
    "SQLAlchemyBaseUserTable": (_FASTAPI_USERS, "user"),
    "FsUserMixin": (_FLASK_SECURITY, "user"),
}
"""Columns that libraries bring (fastapi-users 15, Flask-Security 5, 2026-11), and their table's name."""


def read(sources: Sequence[Source]) -> Schema | None:
    """Read the models; those of libraries have the columns that these bring."""
    tables = [table for source in sources for table in _tables(source)]
    return Schema("SQLAlchemy's models", tuple(tables), "SQLAlchemy") if tables else None


def _tables(source: Source) -> Iterator[Table]:
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (table := _table(node)) is not None:
            yield table


def _table(node: ast.ClassDef) -> Table | None:
    named = next((name for line in node.body if (name := _table_name(line))), "")
    brought = [_MIXINS[name] for base in node.bases if (name := _last(base)) in _MIXINS]
    name = named or (brought[0][1] if brought else "")
    if not name:
        return None
    columns = {column.name: column for mixin, _ in brought for column in mixin}
    primary = ["id"] if "id" in columns else []
    for line in node.body:
        found = _column(line)
        if found is not None:
            column, is_key = found
            columns[column.name] = column
            primary += [column.name] if is_key and column.name not in primary else []
    return Table(name, tuple(columns.values()), tuple(primary))


def _column(line: ast.stmt) -> tuple[Column, bool] | None:
    """Read `x = Column(…)`, `x: Mapped[…] = mapped_column(…)` or `x: Mapped[…]`; relationships are none."""
    annotated = line.annotation if isinstance(line, ast.AnnAssign) else None
    mapped = annotated.slice if isinstance(annotated, ast.Subscript) and _last(annotated.value) == "Mapped" else None
    target = (
        line.target if isinstance(line, ast.AnnAssign) else line.targets[0] if isinstance(line, ast.Assign) else None
    )
    call = line.value if isinstance(line, ast.Assign | ast.AnnAssign) and isinstance(line.value, ast.Call) else None
    if not isinstance(target, ast.Name):
        return None
    if call is not None and _last(call.func) not in {"Column", "mapped_column"}:
        return None
    declared = _declared(call, mapped)
    if call is None and (mapped is None or not declared):
        return None
    arguments = call.args if call is not None else []
    name = next((_text(one) for one in arguments[:1] if _text(one)), target.id)
    said = {one.arg: one.value.value for one in (call.keywords if call else ()) if isinstance(one.value, ast.Constant)}
    is_key = said.get("primary_key") is True
    to = next(
        (_text(one.args[0]) for one in arguments if isinstance(one, ast.Call) and _last(one.func) == "ForeignKey"), ""
    )
    optional = mapped is not None and ("None" in ast.unparse(mapped) or "Optional" in ast.unparse(mapped))
    nullable = bool(said.get("nullable", optional if mapped is not None else not is_key))
    unique = is_key or said.get("unique") is True
    points = to.rpartition(".")[0].rpartition(".")[2]
    return Column.of(
        name, declared or ("int" if to else ""), nullable=nullable, unique=unique, refers_to=points
    ), is_key


def _declared(call: ast.Call | None, mapped: ast.expr | None) -> str:
    names = [_last(one) for one in (call.args if call is not None else ())]
    if mapped is not None:
        names += [_last(one) for one in ast.walk(mapped) if isinstance(one, ast.Name | ast.Attribute)]
    return next((_TYPES[name] for name in names if name in _TYPES), "")


def _table_name(line: ast.stmt) -> str:
    if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
        return ""
    return _text(line.value) if line.targets[0].id == "__tablename__" else ""


def _text(node: object) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _last(node: ast.expr | None) -> str:
    if isinstance(node, ast.Call):
        return _last(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
