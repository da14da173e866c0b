"""Emails are taken out of the outbox again: their files, and what its records and its page say of them."""

import json
from collections.abc import Collection
from pathlib import Path

from skene_dagster.delivery.providers.outbox import page
from skene_dagster.delivery.providers.outbox.files import BATCHES, VIEW, identity_of, replace
from skene_dagster.errors import StoreError


def erase(folder: Path, send_ids: Collection[str], addresses: Collection[str]) -> int:
    """Delete the emails of some sends, or to some addresses; return how many there were.

    A record goes on saying that they were accepted, so that the same batch again brings back none of them.

    Raises:
        StoreError: a file cannot be read or deleted.
    """
    records = folder / BATCHES
    if not records.is_dir():
        return 0
    wanted = {one.lower() for one in addresses}
    try:
        erased = sum(_erase(folder, file, send_ids, wanted) for file in sorted(records.glob("*.json")))
        if erased:
            page.write_page(folder)
    except (OSError, ValueError, KeyError) as bad:
        raise StoreError(
            f"The emails in {folder} cannot be erased ({type(bad).__name__}).",
            advice="Delete the folder, or what is theirs in it, and erase again.",
        ) from None
    return erased


def _erase(folder: Path, file: Path, send_ids: Collection[str], addresses: Collection[str]) -> int:
    record = page.read_record(file)
    if record is None:
        return 0
    theirs = {identity_of(record["key"], send_id) for send_id in send_ids}
    kept = [row for row in record["emails"] if row["to"]]
    found = [row for row in kept if row["id"] in theirs or row["to"].lower() in addresses]
    for row in found:
        for name in (f"{row['id']}.eml", f"{VIEW}/{row['id']}.html", f"{VIEW}/{row['id']}.text.html"):
            (folder / name).unlink(missing_ok=True)
        row.update({name: "" for name in row if name != "id"}, headers=[])
    if found:
        replace(file, json.dumps(record).encode())
    return len(found)
