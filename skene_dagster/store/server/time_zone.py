"""The time zone in which a server tells the time to sessions that have none of their own."""

import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Integer, String, literal_column, select

from skene_dagster.store.engine import is_sqlite

_ZONE = "@@global.time_zone"


@dataclass(frozen=True)
class ServerZone:
    """A server's zone."""

    name: str
    ahead: timedelta
    """How far its time is ahead of UTC now; below zero west of it."""

    def __str__(self) -> str:
        is_told = re.fullmatch(r"[+-]\d.*|(etc/)?utc", self.name, re.IGNORECASE)
        return utc(self.ahead) if is_told else f"{self.name}, {utc(self.ahead)}"


def server_zone(connection: Connection) -> ServerZone | None:
    """Ask a server for its zone; None where there is no server, or it does not know its own zone."""
    if is_sqlite(connection):
        return None
    # MariaDB 10.11 and TiDB 8.5, 2026-11: CONVERT_TZ takes `SYSTEM`, too, and needs no tables of zones for it.
    ahead = f"TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', {_ZONE}))"
    columns = (literal_column(_ZONE, String), literal_column("@@system_time_zone", String))
    return _zone(*connection.execute(select(*columns, literal_column(ahead, Integer))).one())


def utc(ahead: timedelta) -> str:
    """Name a zone by its distance from UTC: `UTC+5:30`, `UTC-3`, `UTC`."""
    minutes = round(abs(ahead) / timedelta(minutes=1))
    if not minutes:
        return "UTC"
    rest = f":{minutes % 60:02}" if minutes % 60 else ""
    return f"UTC{'-' if ahead < timedelta() else '+'}{minutes // 60}{rest}"


def _zone(name: str, system: str, minutes: int | None) -> ServerZone | None:
    return None if minutes is None else ServerZone(system if name == "SYSTEM" else name, timedelta(minutes=minutes))
