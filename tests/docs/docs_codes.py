"""The table of docs/errors.md, written from the codes themselves: `python tests/docs/docs_codes.py` prints it."""

from docs_pages import Table

from skene_dagster.codes import Code


def rows() -> list[str]:
    """Write the table's rows."""
    return [f"| `{code.id}` | {code.title} | {code.means} |" for code in Code]


def codes(table: Table) -> None:
    """The rule of that table: each code in its order, with its own words."""
    shown = ["| " + " | ".join(cells) + " |" for _, cells in table.rows]
    assert shown == rows(), f"{table.place}: paste what `python tests/docs/docs_codes.py` prints"


if __name__ == "__main__":
    print("| code | what it is | what to do |", "|---|---|---|", *rows(), sep="\n")
