"""skene.yaml and the environment, read once into one frozen Settings."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

from skene_dagster import boundary
from skene_dagster.documents import Document, Spec, parse, shown, together
from skene_dagster.durations import duration_text
from skene_dagster.errors import SettingsError
from skene_dagster.files import read_text
from skene_dagster.settings.environment import Environment, read_variables
from skene_dagster.settings.moments import MomentColumn, Moments, Unit
from skene_dagster.settings.names import SYSTEM_SCHEMAS, Identifier, TableName
from skene_dagster.settings.product import Limits, Sender, Users
from skene_dagster.settings.providers import ProviderName
from skene_dagster.settings.retention import Retention
from skene_dagster.settings.topics import DEFAULT_TOPIC, Topic
from skene_dagster.settings.usage import OWN_EVENTS, Events, Example, Feature, Key, Level, Levels, Milestone, TidbUsage
from skene_dagster.yaml_document import parse_yaml

__all__ = [
    "FILE",
    "OWN_EVENTS",
    "PRODUCT_NEWS",
    "SYSTEM_SCHEMAS",
    "Environment",
    "Events",
    "Example",
    "Feature",
    "Identifier",
    "Level",
    "Levels",
    "Limits",
    "Milestone",
    "MomentColumn",
    "Moments",
    "ProjectFile",
    "ProviderName",
    "Retention",
    "Sender",
    "Settings",
    "TableName",
    "TidbUsage",
    "Topic",
    "Unit",
    "Users",
    "load",
    "read_settings",
]

FILE = "skene.yaml"

PRODUCT_NEWS: Mapping[str, Topic] = MappingProxyType({DEFAULT_TOPIC: Topic(title="Product news")})
"""The topics of a project that names none."""


def _a_folder(name: str) -> str:
    if not name or not name.isprintable() or len(name) > 1000:
        raise ValueError(f"{shown(name)} is not the name of a folder")
    return name


Folder = Annotated[str, AfterValidator(_a_folder)]


class ProjectFile(Spec):
    """skene.yaml."""

    users: Users = Users()
    sender: Sender = Sender()
    limits: Limits = Limits()
    events: Events | None = None
    """The product's own table of usage events; `skene_events` by default."""
    features: dict[Key, Feature] = Field(default_factory=dict)
    """The product's features, by a short name."""
    levels: Levels = Levels()
    milestones: dict[Key, Milestone] = Field(default_factory=dict)
    """What users reach, by a short name."""
    tidb_usage: TidbUsage | None = None
    """The users whose use of TiDB's own features is collected. Default: nobody."""
    retention: Retention = Retention()
    topics: dict[Key, Topic] = Field(default_factory=dict)
    """What the emails are about, by a short name; `product` is there where nothing else is."""
    loops: Folder = "loops"
    """The folder of the loop files."""
    templates: Folder = "templates"
    """The folder of the email templates."""
    outbox: Folder = ".skene/outbox"
    """The folder for emails that may not be sent."""
    spool: Folder = ".skene/spool"
    """The folder in which answers of recipients wait while the database is away."""


@dataclass(frozen=True)
class Settings:
    """Everything that is configured, resolved. Paths are absolute."""

    root: Path
    users: Users
    sender: Sender
    limits: Limits
    loops: Path
    templates: Path
    outbox: Path
    spool: Path
    database_url: str = field(repr=False)
    environment: Environment
    redirect_to: str | None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The variables that are set, secrets among them: each provider of email reads its own."""
    write_key: str | None = field(default=None, repr=False)
    """The key that clients of `skene-dagster serve` must present."""
    events: Events = OWN_EVENTS
    """Where usage events are read: the product's own table, or ours."""
    features: Mapping[str, Feature] = field(default_factory=dict)
    levels: Levels = field(default_factory=Levels)
    milestones: Mapping[str, Milestone] = field(default_factory=dict)
    tidb_usage: TidbUsage | None = None
    retention: Retention = field(default_factory=Retention)
    topics: Mapping[str, Topic] = field(default_factory=lambda: PRODUCT_NEWS)

    @property
    def schema(self) -> str:
        """The name of the connected database, with which SQL may qualify a table; empty if the URL has none."""
        if self.database_url.startswith("sqlite"):
            return "main"
        try:
            return unquote(urlsplit(self.database_url).path.strip("/"))
        except ValueError:
            return ""


def read_settings(root: Path) -> Document:
    """Read skene.yaml as it is written, with its lines; empty if there is none.

    Raises:
        SettingsError: it cannot be read.
    """
    if not os.path.lexists(root / FILE):
        return Document(FILE, {})
    with boundary.around(FILE):
        return parse_yaml(read_text(root / FILE, FILE, SettingsError, root=root), FILE, SettingsError)


def load(root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `root`/skene.yaml (all defaults if there is none) and the SKENE_* variables.

    Raises:
        SettingsError: with the file and line, or the variable's name.
    """
    document = read_settings(root)
    with boundary.around(FILE):
        project = parse(ProjectFile, document, SettingsError)
        if faults := list(_faults_of_retention(project, document)):
            raise together(faults)
    with boundary.around("environment"):
        variables = read_variables(environ)
    default_url = f"sqlite:///{root / '.skene' / 'skene.db'}"
    return Settings(
        root=root,
        users=project.users,
        sender=project.sender,
        limits=project.limits,
        events=project.events or OWN_EVENTS,
        features=project.features,
        levels=project.levels,
        milestones=project.milestones,
        tidb_usage=project.tidb_usage,
        retention=project.retention,
        topics=project.topics or PRODUCT_NEWS,
        loops=root / project.loops,
        templates=root / project.templates,
        outbox=root / project.outbox,
        spool=root / project.spool,
        database_url=variables.database_url or default_url,
        environment=variables.environment,
        redirect_to=variables.redirect_to,
        environ={name: value for name, value in environ.items() if value},
        write_key=variables.write_key,
    )


def _faults_of_retention(project: ProjectFile, document: Document) -> Iterator[SettingsError]:
    events, payloads = project.retention.events, project.retention.payloads
    if events is not None and project.events not in (None, OWN_EVENTS):
        yield SettingsError(
            f"'retention.events' is about {OWN_EVENTS.table}, but 'events' names a different table, which is the "
            "product's: nothing is ever deleted there.",
            advice="Remove one of the two.",
            place=document.place(("retention", "events")),
        )
    waits = 2 * project.limits.expires_after
    if payloads is not None and payloads < waits:
        yield SettingsError(
            f"'retention.payloads' is {duration_text(payloads)}, but what an email needs may be needed for "
            f"{duration_text(waits)}: twice 'limits.expires_after'.",
            advice=f"Keep them for {duration_text(waits)} at least.",
            place=document.place(("retention", "payloads")),
        )
