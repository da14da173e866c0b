"""What `doctor` says of the product's moments: whether they are in UTC, as they are read."""

from collections.abc import Iterator

from sqlalchemy import Connection

from skene_dagster.checks.local_time import suspects
from skene_dagster.cli.validate.result import Checked
from skene_dagster.documents import Document
from skene_dagster.project import Project
from skene_dagster.settings import Settings
from skene_dagster.store.engine import database_time
from skene_dagster.store.server.time_zone import server_zone


def examine_moments(
    connection: Connection, settings: Settings, project: Project, settings_file: Document
) -> Iterator[Checked]:
    """Compare the newest moments that loops read with now, and the server's zone with UTC."""
    if zone := server_zone(connection):
        yield Checked("ok", f"The server's zone is {zone}; our sessions are in UTC.")
    found = suspects(connection, project.loops, settings, settings_file, database_time(connection))
    yield from (Checked("notice", f"{one.place}: {one.says}") for one in found)
    if not found:
        yield Checked("ok", "No column that is read as UTC seems to hold local time.")
