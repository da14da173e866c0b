"""The clock of the author's SQL: wherever it says `NOW()` or `CURDATE()`, that is the tick's."""

from datetime import datetime, timezone, tzinfo
from typing import Any

from sqlalchemy import BindParameter, Date, TextClause, bindparam

from skene_dagster.loops.times.calendar_days import date_in
from skene_dagster.store.tables import Moment


def bound(statement: TextClause, as_of: datetime, zone: tzinfo = timezone.utc) -> TextClause:
    """Bind the moments that a statement names.

    Args:
        zone: whose date is `CURDATE()`.
    """
    known = statement.compile().params
    # Unique: one statement may hold the same condition of two versions, each with the date of its own zone.
    moments: dict[str, BindParameter[Any]] = {
        "as_of": bindparam("as_of", as_of, Moment, unique=True),
        "as_of_date": bindparam("as_of_date", date_in(zone, as_of), Date, unique=True),
    }
    return statement.bindparams(*(bind for name, bind in moments.items() if name in known))
