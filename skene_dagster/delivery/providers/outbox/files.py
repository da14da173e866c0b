"""Files of the outbox, replaced in one step: a reader sees the old one or the new one, never a part."""

import hashlib
import shutil
from pathlib import Path

from skene_dagster.files import replacing

BATCHES = "batches"
VIEW = "view"
PAGE = "index.html"


def make_folders(folder: Path) -> None:
    """Make the outbox and what is in it."""
    for inner in (BATCHES, VIEW):
        (folder / inner).mkdir(parents=True, exist_ok=True)


def identity_of(key: str, send_id: str) -> str:
    """Name an email of a batch that was accepted under a key."""
    return hashed(key, send_id)[:32]


def hashed(*parts: str) -> str:
    """Make a name of some texts, in hex digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def replace(file: Path, content: bytes) -> None:
    """Write a file in one step."""
    with replacing(file) as opened:
        opened.write(content)


def clear(folder: Path) -> None:
    """Remove what the outbox has written there, and nothing else."""
    for email in folder.glob("*.eml"):
        email.unlink()
    (folder / PAGE).unlink(missing_ok=True)
    for inner in (BATCHES, VIEW):
        shutil.rmtree(folder / inner, ignore_errors=True)
