"""Judges every statement that the package emitted to a server while the tests ran.

Not collected with the tests, for it has to come after them all: `make test` runs it as its last step.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import servers
import tidb_grammar
from tidb_guard import as_prepared, broken_rules

# What a whole run of the tests cannot fail to emit. Without it the judge would be praising silence.
KINDS = {
    "the table of the sends": r"^CREATE TABLE (?:IF NOT EXISTS )?`?skene_sends\b",
    "the table of the members": r"^CREATE TABLE (?:IF NOT EXISTS )?`?skene_segment_members\b",
    "a staging table": r"^CREATE TABLE (?:IF NOT EXISTS )?`?skene_staging_",
    "a condition": r"^INSERT INTO `?skene_staging_\w+`?.*\bSELECT\b",
    "entries": r"^INSERT INTO `?skene_segment_members\b.*\bSELECT\b",
    "exits": r"^UPDATE `?skene_segment_members\b.*\bexited_at\b",
    "a page of members": r"^SELECT\b.*\bFROM `?skene_segment_members\b.*\bORDER BY\b",
    "decisions": r"^INSERT INTO `?skene_sends\b",
    "batches": r"^INSERT INTO `?skene_batches\b",
    "a claim": r"^UPDATE `?skene_batches\b.*\blease_until\b",
    "a set": r"^UPDATE `?users\b",
}
LEAST = 80


@pytest.fixture(scope="session")
def statements() -> list[str]:
    """The distinct statements, sorted."""
    folder = Path(os.environ["SKENE_TEST_STATEMENTS"])
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text(encoding="utf-8").splitlines()]
    if not lines and shutil.which("mariadbd", path=servers.WHERE_SERVERS_ARE) is None and not os.environ.get("CI"):
        pytest.skip("there is no mariadbd here, so nothing was emitted to a server: no SQL was judged")
    return sorted({json.loads(line) for line in lines})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_tests_emitted(kind: str, statements: list[str]) -> None:
    assert any(re.search(kind, sql.strip(), re.IGNORECASE | re.DOTALL) for sql in statements)


def test_the_tests_emitted_enough_to_judge(statements: list[str]) -> None:
    shapes = {shape(sql) for sql in statements}

    assert len(shapes) >= LEAST


def shape(sql: str) -> str:
    """What two statements have in common that differ in names of test databases, numbers and lengths of lists only."""
    unnamed = re.sub(r"\d+", "0", re.sub(r"[0-9a-f]{12,}", "", as_prepared(sql)))
    return re.sub(r"\(\?\)(?:, *\(\?\))+", "(?)", re.sub(r"\?(?:, *\?)+", "?", unnamed))


@pytest.mark.skipif(bool(tidb_grammar.why_not_here()), reason=tidb_grammar.why_not_here())
def test_tidb_parses_every_statement(statements: list[str]) -> None:
    refused = tidb_grammar.refusals(statements)

    assert not refused, "\n\n".join(f"{one.error}\n{one.sql}" for one in refused)


def test_no_statement_says_what_tidb_ignores_or_does_otherwise(statements: list[str]) -> None:
    broken = [(rule, sql) for sql in statements for rule in broken_rules(sql)]

    assert not broken, "\n\n".join(f"{rule.name}: {rule.because}\n{as_prepared(sql)}" for rule, sql in broken)
