"""The page of the outbox: the newest emails in a list, each shown as its recipient would see it.

It is one file that opens from the disk. What users wrote reaches it as JSON and is put into place as text; the email
itself is shown in a frame without scripts.
"""

import html
import json
from operator import itemgetter
from pathlib import Path
from typing import Any

from skene_dagster.delivery.email.message import Message
from skene_dagster.delivery.providers.outbox.files import BATCHES, PAGE, VIEW, replace

LISTED = 500
"""The most emails on the page; the folder keeps all."""

_SHELL = Path(__file__).with_name("page.html")
# In the copy that is shown: nothing runs, nothing is submitted, links open beside the page.
_QUIET = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'none'; object-src 'none'; form-action 'none'\">"
    '<base target="_blank">'
)
_TEXT_PAGE = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body {{ margin: 0; padding: 32px; font: 14px/1.6 ui-monospace, Menlo, Consolas, monospace }}
pre {{ margin: 0 auto; max-width: 76ch; font: inherit; white-space: pre-wrap; overflow-wrap: anywhere }}</style>
<pre>{}</pre>
"""


def write_view(folder: Path, identity: str, message: Message) -> None:
    """Write what the page shows of an email: its HTML and its text."""
    head, found, rest = message.html.partition("<head>")
    shown = f"{head}{found}{_QUIET}{rest}" if found else f"{_QUIET}{message.html}"
    replace(folder / VIEW / f"{identity}.html", shown.encode())
    replace(folder / VIEW / f"{identity}.text.html", _TEXT_PAGE.format(html.escape(message.text)).encode())


def read_record(file: Path) -> dict[str, Any] | None:
    """Read the record of a batch; None where there is none."""
    try:
        record: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return record


def write_page(folder: Path) -> None:
    """Write the page anew from the records of the newest batches."""
    while True:
        records = _records(folder)
        replace(folder / PAGE, _page(folder, records).encode())
        # Another process may have written its record after we looked, and its page before ours.
        if set(_records(folder)) == set(records):
            return


def _records(folder: Path) -> list[str]:
    return [file.name for file in (folder / BATCHES).iterdir() if file.suffix == ".json"]


def _page(folder: Path, records: list[str]) -> str:
    there = {file.stem for file in folder.iterdir() if file.suffix == ".eml"}
    shown: list[dict[str, Any]] = []
    files = [folder / BATCHES / name for name in records]
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        if len(shown) >= LISTED:
            break
        record = read_record(file) or {"at": "", "emails": []}
        shown += [{**email, "at": record["at"]} for email in record["emails"] if email["id"] in there]
    newest = sorted(shown[:LISTED], key=itemgetter("at"), reverse=True)
    data = json.dumps({"total": len(there), "emails": newest})
    # Inside of <script> only `<` could end the data.
    return _SHELL.read_text(encoding="utf-8").replace("__DATA__", data.replace("<", "\\u003c"))
