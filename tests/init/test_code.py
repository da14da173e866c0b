"""The code of frameworks: the tables that it describes, without a database, and without executing any of it."""

from pathlib import Path

import pytest
from product_code import EXPECTED, PRISMA, RAILS, Code
from product_schemas import as_expected

from skene_dagster.cli.init.checking import faults_of
from skene_dagster.init.files import project_files
from skene_dagster.init.proposal import Asked, propose
from skene_dagster.init.reading import code
from skene_dagster.init.schema import NoRows, Schema


def read(root: Path, files: Code) -> Schema:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    found = code.read(root)
    assert found is not None
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_of_a_framework_s_code_each_column_is_found(tmp_path: Path, name: str) -> None:
    files, framework, expected = EXPECTED[name]

    schema = read(tmp_path, files)
    found = propose(schema, NoRows(), Asked())

    assert schema.framework == framework
    assert as_expected(found, expected.aloud) == expected
    assert faults_of(project_files(found, tmp_path), None) == []


def test_types_of_keys_are_those_that_the_framework_makes(tmp_path: Path) -> None:
    rails, prisma = read(tmp_path / "rails", RAILS), read(tmp_path / "prisma", PRISMA)

    users, posts = rails.table("users"), rails.table("posts")
    assert users is not None
    assert posts is not None
    assert (users.primary, users.columns[0].declared) == (("id",), "char(36)")
    assert [column.refers_to for column in posts.columns] == ["", "users", ""]
    session = prisma.table("Session")
    assert session is not None
    assert [(one.name, one.declared, one.refers_to) for one in session.columns][1] == (
        "user_id",
        "varchar(191)",
        "users",
    )


def test_what_packages_bring_is_not_read(tmp_path: Path) -> None:
    for folder in ("node_modules", ".git", "vendor"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "schema.prisma").write_text(PRISMA["prisma/schema.prisma"])

    assert code.read(tmp_path) is None


def test_code_that_is_broken_describes_nothing(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("class User(Base:\n  __tablename__ = 'x'\n")
    (tmp_path / "schema.prisma").write_text("model User {\n  id String @id\n")
    (tmp_path / "schema.sql").write_text("CREATE TABLE (((;\n\x00")
    (tmp_path / "dump.sql").write_bytes(b"\xff\xfe CREATE TABLE")

    assert code.read(tmp_path) is None
