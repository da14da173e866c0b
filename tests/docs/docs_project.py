"""The example project as a stranger has it: its files in a folder of its own, and its product's database."""

import shutil
from pathlib import Path

from docs_pages import ROOT

FILES = ("skene.yaml", "dagster.yaml", "workspace.yaml", ".env.example")


def copy_example(root: Path, database: Path, *, loops: bool = True) -> Path:
    """Copy the example project, with or without its loops."""
    root.mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "templates", root / "templates")
    if loops:
        shutil.copytree(ROOT / "loops", root / "loops")
    else:
        (root / "loops").mkdir()
    for folder in (".skene", "deploy"):
        (root / folder).mkdir()
    shutil.copy(database, root / ".skene" / "skene.db")
    shutil.copy(ROOT / "dagster.yaml", root / ".skene")  # where DAGSTER_HOME is
    return root
