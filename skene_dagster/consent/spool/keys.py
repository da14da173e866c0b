"""The signing keys, kept beside the answers: a process that starts while the database is away believes a token, too.

Whoever reads them can do no more than unsubscribe people.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from skene_dagster.consent.spool.spool import make_private, sync_folder
from skene_dagster.consent.tokens import Signer

_KEY = re.compile(r"[!-~]{16,200}")


def keep(folder: Path, signer: Signer) -> None:
    """Keep the keys, unless the same are kept.

    Raises:
        OSError: they cannot be written.
    """
    if kept(folder) == signer:
        return
    make_private(folder)
    new = folder / f"keys.{os.getpid()}.new"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - it has a mode of its own
            json.dump(list(signer.keys), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(_file(folder))
        sync_folder(folder)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def kept(folder: Path) -> Signer | None:
    """Read the keys that were kept; None if there are none, or what is there are none."""
    try:
        keys = json.loads(_file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(keys, list) or not keys:
        return None
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        return None
    return Signer(keys)


def _file(folder: Path) -> Path:
    return folder / "keys.json"
