"""Tables from Django's models and settings, by their syntax: nothing is imported, and no settings are executed."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from skene_dagster.init.reading.source import Source
from skene_dagster.init.schema import Column, Schema, Table

# Django 5.2, 2026-11: what its fields are on MySQL.
_TYPES = {
    **dict.fromkeys(("CharField", "EmailField", "SlugField", "URLField", "FileField", "ImageField"), "varchar(254)"),
    **dict.fromkeys(("IntegerField", "PositiveIntegerField", "SmallIntegerField", "AutoField"), "int"),
    **dict.fromkeys(("BigIntegerField", "BigAutoField", "PositiveBigIntegerField"), "bigint"),
    **dict.fromkeys(("DecimalField", "FloatField"), "double"),
    "TextField": "longtext",
    "BooleanField": "tinyint(1)",
    "DateTimeField": "datetime(6)",
    "DateField": "date",
    "UUIDField": "char(32)",
    "JSONField": "json",
}
_POINTING = frozenset({"ForeignKey", "OneToOneField"})
_BASE = (Column.of("password", "varchar(128)", nullable=False), Column.of("last_login", "datetime(6)"))
_PERMISSIONS = (Column.of("is_superuser", "tinyint(1)", nullable=False),)
_ABSTRACT_USER = (
    *_BASE,
    *_PERMISSIONS,
    Column.of("username", "varchar(150)", nullable=False, unique=True),
    Column.of("first_name", "varchar(150)", nullable=False),
    Column.of("last_name", "varchar(150)", nullable=False),
    Column.of("email", "varchar(254)", nullable=False),
    Column.of("is_staff", "tinyint(1)", nullable=False),
    Column.of("is_active", "tinyint(1)", nullable=False),
    Column.of("date_joined", "datetime(6)", nullable=False),
)
_INHERITED = {"AbstractUser": _ABSTRACT_USER, "AbstractBaseUser": _BASE, "PermissionsMixin": _PERMISSIONS}
_ID = Column.of("id", "bigint", nullable=False, unique=True)


@dataclass(frozen=True)
class _Model:
    name: str
    app: str
    bases: tuple[str, ...]
    columns: tuple[Column, ...]
    table: str = ""
    is_abstract: bool = False
    key: str = ""
    points: dict[str, str] = field(default_factory=dict)
    """Columns, and the models that they point to."""


def read(sources: Sequence[Source]) -> Schema | None:
    """Read the models; the users are `AUTH_USER_MODEL`'s, or those of django.contrib.auth."""
    models = {model.name: model for source in sources for model in _models(source)}
    named = next(
        (found[1] for one in sources if (found := re.search(r"AUTH_USER_MODEL\s*=\s*['\"]([\w.]+)", one.text))), ""
    )
    if not models and not any("django.contrib.auth" in source.text for source in sources):
        return None
    concrete = [model for model in models.values() if not model.is_abstract and _is_model(model, models)]
    tables = [_table(model, models) for model in concrete]
    users = models.get(named.rpartition(".")[2]) if named else None
    if users is None and not named:
        tables.append(
            Table("auth_user", (Column.of("id", "int", nullable=False, unique=True), *_ABSTRACT_USER), ("id",))
        )
    if any("allauth.account" in source.text for source in sources):
        tables.append(_allauth(_name(users) if users else "auth_user"))
    return Schema("Django's models", tuple(tables), "Django", _name(users) if users else "auth_user")


def _models(source: Source) -> Iterator[_Model]:
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    folders = source.path.split("/")[:-1]
    app = next((one for one in reversed(folders) if one != "models"), "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases:
            yield _model(node, app)


def _model(node: ast.ClassDef, app: str) -> _Model:
    columns: list[Column] = []
    points: dict[str, str] = {}
    key, table, is_abstract = "", "", False
    for line in node.body:
        if isinstance(line, ast.ClassDef) and line.name == "Meta":
            said = {name: value for one in line.body for name, value in _assigned(one)}
            table, is_abstract = str(said.get("db_table", "")), said.get("abstract") is True
            app = str(said.get("app_label", app))
        elif isinstance(line, ast.Assign | ast.AnnAssign) and isinstance(line.value, ast.Call):
            target = line.targets[0] if isinstance(line, ast.Assign) else line.target
            if isinstance(target, ast.Name) and (found := _field(target.id, line.value)) is not None:
                column, to, is_key = found
                columns.append(column)
                key = column.name if is_key else key
                points |= {column.name: to} if to else {}
    bases = tuple(_last(base) for base in node.bases)
    return _Model(node.name, app, bases, tuple(columns), table, is_abstract, key, points)


def _field(name: str, call: ast.Call) -> tuple[Column, str, bool] | None:
    kind = _last(call.func)
    said = {one.arg: one.value.value for one in call.keywords if one.arg and isinstance(one.value, ast.Constant)}
    nullable, unique = said.get("null") is True, said.get("unique") is True
    is_key = said.get("primary_key") is True
    if kind in _POINTING:
        column = str(said.get("db_column", f"{name}_id"))
        to = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "to"), None)
        named = str(to.value) if isinstance(to, ast.Constant) else _last(to) if to is not None else ""
        return Column.of(column, "bigint", nullable=nullable, unique=kind == "OneToOneField"), named, is_key
    if kind not in _TYPES:
        return None
    column = str(said.get("db_column", name))
    return Column.of(column, _TYPES[kind], nullable=nullable, unique=unique or is_key), "", is_key


def _is_model(model: _Model, models: dict[str, _Model]) -> bool:
    return any(
        base in {"Model", *_INHERITED} or (base in models and base != model.name and _is_model(models[base], models))
        for base in model.bases
    )


def _inherited(model: _Model, models: dict[str, _Model]) -> list[Column]:
    found: list[Column] = []
    for base in model.bases:
        found += _INHERITED.get(base, ())
        if base in models and base != model.name and models[base].is_abstract:
            found += [*_inherited(models[base], models), *models[base].columns]
    return found


def _table(model: _Model, models: dict[str, _Model]) -> Table:
    columns = {one.name: one for one in (*_inherited(model, models), *model.columns)}
    key = model.key or next((models[base].key for base in model.bases if base in models and models[base].key), "id")
    made = [_pointing(one, model, models) for one in columns.values()]
    return Table(_name(model), (*(() if key in columns else (_ID,)), *made), (key,))


def _pointing(column: Column, model: _Model, models: dict[str, _Model]) -> Column:
    to = model.points.get(column.name)
    if to is None:
        return column
    known = models.get(to.rpartition(".")[2])
    # settings.AUTH_USER_MODEL, get_user_model(): whoever the users are.
    table = _name(known) if known else "auth_user" if to in {"AUTH_USER_MODEL", "User", "get_user_model"} else ""
    return Column(column.name, column.declared, column.kind, column.nullable, column.unique, table)


def _name(model: _Model) -> str:
    return model.table or f"{model.app}_{model.name.lower()}"


def _allauth(users: str) -> Table:
    return Table(
        "account_emailaddress",
        (
            Column.of("id", "int", nullable=False, unique=True),
            Column.of("email", "varchar(254)", nullable=False),
            Column.of("verified", "tinyint(1)", nullable=False),
            Column.of("user_id", "int", nullable=False, refers_to=users),
        ),
        ("id",),
    )


def _assigned(line: ast.stmt) -> Iterator[tuple[str, object]]:
    if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) and isinstance(line.value, ast.Constant):
        yield line.targets[0].id, line.value.value


def _last(node: ast.expr | None) -> str:
    if isinstance(node, ast.Call):
        return _last(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
