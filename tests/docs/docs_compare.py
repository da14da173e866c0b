"""How a table of a page is compared with the code."""

from collections.abc import Iterable

from docs_pages import ROOT, Table, in_code

PACKAGE = ROOT / "skene_dagster"


def same(table: Table, shown: Iterable[object], so: Iterable[object]) -> None:
    """Both directions: what a table shows, and what is so."""
    shown, so = {*shown}, {*so}
    assert shown == so, f"{table.place}: not so: {shown - so or 'nothing'}; not shown: {so - shown or 'nothing'}"


def first(table: Table) -> list[str]:
    """What stands in code in the first column."""
    return [code for _, row in table.rows for code in in_code(row[0])]


def package_text(pattern: str) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(PACKAGE.glob(pattern)))


def first_code_of_each(table: Table) -> list[str]:
    """Like `first`, where only the first name of a row is its subject."""
    return [in_code(row[0])[0] for _, row in table.rows]
