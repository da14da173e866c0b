"""The database as commands name it, and what they refuse before they begin."""

from pathlib import Path

from sqlalchemy import make_url

from skene_dagster.documents import Document
from skene_dagster.errors import SettingsError
from skene_dagster.settings import FILE, Settings
from skene_dagster.yaml_document import read_yaml


def shown_database(settings: Settings) -> str:
    """Name the database without its password; a file as it is seen from the project."""
    url = make_url(settings.database_url)
    if url.drivername.startswith("sqlite"):
        file = Path(url.database or "")
        return str(file.relative_to(settings.root)) if file.is_relative_to(settings.root) else str(file)
    return f"{url.database} on {url.host or 'localhost'}:{url.port or 4000}"


def settings_file(settings: Settings) -> Document:
    """Read skene.yaml again, for the lines of what the database finds wrong in it."""
    file = settings.root / FILE
    return read_yaml(file, FILE, SettingsError) if file.exists() else Document(FILE, {})
