"""Products that track, in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from skene_dagster.behaviour.events import Journal, open_journal
from skene_dagster.settings import load

PATIENCE = 60.0
"""Seconds after which something that should happen did not."""


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def opener(url: str, root: Path) -> Callable[[], Journal]:
    return lambda: open_journal(load(root, {"SKENE_DATABASE_URL": url}))


def environment(url: str, root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKENE_")}
    return kept | {"SKENE_DATABASE_URL": url, "SKENE_PROJECT": str(root)}


def product(program: str, url: str, root: Path) -> "subprocess.Popen[str]":
    """Start a product that tracks; warnings are errors in it, too."""
    head = "import os, sys, time\nimport skene_dagster\nfrom skene_dagster import flush, track\n"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", head + program],
        env=environment(url, root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program: str, url: str, root: Path) -> tuple[str, str]:
    """Run a product to its good end; return what it printed, and what its log says."""
    with product(program, url, root) as process:
        try:
            printed, logged = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, logged
    return printed, logged
