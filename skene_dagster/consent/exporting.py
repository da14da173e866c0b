"""Write the list of suppressions as CSV, in as little memory as a page of it takes."""

import csv
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from sqlalchemy import Engine

from skene_dagster.consent.suppressions import Scope
from skene_dagster.consent.walking import PAGE, every
from skene_dagster.store.tables import OPEN

COLUMNS = ("address", "scope", "reason", "since", "until", "source")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@dataclass(frozen=True)
class Exported:
    """What was written, and what has no address that could be."""

    written: int
    erased: int
    """Their address is no longer known, only its hash."""
    users: int
    """They are about a user, at whatever address, or about an account."""
    formulas: int
    """Addresses that a spreadsheet takes for formulas."""


def export_list(
    engine: Engine,
    file: TextIO,
    scopes: Collection[Scope] | None,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write what holds and has an address, in the order of the list's keys.

    Args:
        progress: is told now and then how many are written.

    Raises:
        StoreError: the database refused.
        OSError: the file did.
    """
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    written = erased = users = formulas = 0
    for one in every(engine, scopes, now):
        if one.address is None:
            erased += one.recipient.startswith("1:")
            users += not one.recipient.startswith("1:")
            continue
        # An address is written as it is: with a mark before it, it would be another, and whoever imports the file
        # would go on to mail this one.
        source = f"'{one.source}" if one.source.startswith(_FORMULA) else one.source
        until = "" if one.until == OPEN else f"{one.until.isoformat()}Z"
        rows.writerow((one.address, one.scope, one.reason, f"{one.since.isoformat()}Z", until, source))
        formulas += one.address.startswith(_FORMULA)
        written += 1
        if written % PAGE == 0:
            progress(written)
    return Exported(written, erased, users, formulas)
