"""The tutorial, as its reader works through it: each file, each command, each output, in order and in one folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs_commands import lines
from docs_not_run import why_not_run
from docs_pages import Block, page
from sqlalchemy import create_engine, text

PAGE = "docs/tutorial.md"

COIN = "0" * 63 + "1"
"""The coin of the page; every database has another."""

pytestmark = pytest.mark.long


def test_the_tutorial_ends_with_a_loop_that_works(database_url: str, tmp_path: Path) -> None:
    on_a_server = database_url.startswith("mysql")
    shop = tmp_path / "shop"
    shop.mkdir()
    # Without a server its reader sets nothing.
    environ = {name: value for name, value in os.environ.items() if name not in {"SKENE_DATABASE_URL", "DAGSTER_HOME"}}
    environ |= {"SKENE_DATABASE_URL": database_url} if on_a_server else {}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    environ["DAGSTER_HOME"] = str(shop / ".skene" / "dagster")
    produced = ""
    for block in page(PAGE).blocks:
        if block.kind == "sh":
            produced = run(block, shop, environ)
        elif block.kind == "text output":
            assert block.text in produced, f"{block.place}: what is printed is\n{produced}"
        else:
            assert block.title, f"{block.place}: say which file this is"
            (shop / block.title).write_text(block.text, encoding="utf-8")
        if "skene-dagster migrate" in block.text:
            toss(COIN, database_url if on_a_server else f"sqlite:///{shop}/.skene/skene.db")

    report = (shop / ".skene" / "report.html").read_text(encoding="utf-8")
    assert "orders within 14d: <strong>works</strong>" in report


def run(block: Block, folder: Path, environ: dict[str, str]) -> str:
    pasted = "\n".join(line for line in lines(block) if why_not_run(line) is None)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", pasted], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block.place}: {pasted}\n{done.stdout}{done.stderr}"
    return done.stdout


def toss(coin: str, url: str) -> None:
    """Have this database toss the page's coin."""
    engine = create_engine(url)
    with engine.begin() as database:
        database.execute(text("DELETE FROM skene_meta WHERE name = 'coin'"))
        database.execute(text("INSERT INTO skene_meta (name, value) VALUES ('coin', :coin)"), {"coin": coin})
    engine.dispose()
