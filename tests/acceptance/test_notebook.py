"""The notebook of the docs runs from its first cell to its last, and shows what the ledger says."""

import os
import sqlite3
from pathlib import Path

import nbformat
import pytest
from commands import run
from nbclient import NotebookClient
from small_project import RETENTION, write_project, write_users

NOTEBOOK = Path(__file__).parents[2] / "docs" / "measuring.ipynb"


def test_the_notebook_shows_what_the_ledger_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_project(tmp_path, {"retention.yaml": f"{RETENTION}holdout: 50%\n"})
    write_users(root, 40)
    assert run(root)
    monkeypatch.delenv("SKENE_DATABASE_URL", raising=False)
    # Its kernel must not write beside the user's own notebooks.
    monkeypatch.setenv("IPYTHONDIR", os.fspath(tmp_path / "ipython"))
    notebook = _notebook()
    nbformat.validate(notebook)

    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": os.fspath(root)}}).execute()

    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        counts = dict(connection.execute("SELECT state, COUNT(*) FROM skene_sends GROUP BY state"))
    assert set(counts) == {"accepted", "held_out"}
    decided = _shown(notebook, "pd.crosstab([sends")
    assert decided.split()[-4:] == ["retention", "main", str(counts["held_out"]), str(counts["accepted"])]
    assert "accepted" in _shown(notebook, "chunk_size=10_000")


def _notebook() -> nbformat.NotebookNode:
    notebook: nbformat.NotebookNode = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # it has none
    return notebook


def _shown(notebook: nbformat.NotebookNode, code: str) -> str:
    (cell,) = (one for one in notebook.cells if one.cell_type == "code" and code in one.source)
    return " ".join(output["data"]["text/plain"] for output in cell.outputs if "data" in output)


def test_the_notebook_is_kept_without_what_a_run_of_it_shows() -> None:
    assert all(not cell.outputs for cell in _notebook().cells if cell.cell_type == "code")
