"""skene.yaml and the environment, read once into one frozen Settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from skene_dagster import boundary
from skene_dagster.documents import Document, parse, together
from skene_dagster.errors import SettingsError
from skene_dagster.files import read_text
from skene_dagster.settings.addresses import address_of, domain_of
from skene_dagster.settings.alerts import AlertTarget, heartbeat, targets
from skene_dagster.settings.clock_time import ClockTime
from skene_dagster.settings.environment import Environment, read_variables
from skene_dagster.settings.fresh import Fresh, repeated
from skene_dagster.settings.goals import Goal, Goals
from skene_dagster.settings.moments import MomentColumn, Moments, Unit
from skene_dagster.settings.names import SYSTEM_SCHEMAS, Identifier, TableName
from skene_dagster.settings.product import Accounts, Cap, Keyed, Limits, QuietHours, Sender, Users, WarmUp
from skene_dagster.settings.project_file import ProjectFile, Report, faults
from skene_dagster.settings.providers import ProviderName
from skene_dagster.settings.retention import Retention
from skene_dagster.settings.shares import Share
from skene_dagster.settings.topics import DEFAULT_TOPIC, Topic, TopicSender
from skene_dagster.settings.usage import OWN_EVENTS, Events, Example, Feature, Level, Levels, Milestone, TidbUsage
from skene_dagster.settings.utm import Utm
from skene_dagster.yaml_document import parse_yaml

__all__ = [
    "DEFAULT_TOPIC",
    "FILE",
    "OWN_EVENTS",
    "PRODUCT_NEWS",
    "SYSTEM_SCHEMAS",
    "Accounts",
    "AlertTarget",
    "Cap",
    "ClockTime",
    "Environment",
    "Events",
    "Example",
    "Feature",
    "Fresh",
    "Goal",
    "Goals",
    "Identifier",
    "Keyed",
    "Level",
    "Levels",
    "Limits",
    "Milestone",
    "MomentColumn",
    "Moments",
    "ProjectFile",
    "ProviderName",
    "QuietHours",
    "Report",
    "Retention",
    "Sender",
    "Settings",
    "Share",
    "TableName",
    "TidbUsage",
    "Topic",
    "TopicSender",
    "Unit",
    "Users",
    "WarmUp",
    "load",
    "read_settings",
    "repeated",
]

FILE = "skene.yaml"

PRODUCT_NEWS: Mapping[str, Topic] = MappingProxyType({DEFAULT_TOPIC: Topic(title="Product news")})
"""The topics of a project that names none."""


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
    senders: Mapping[str, TopicSender] = field(default_factory=dict)
    utm: Utm | None = None
    accounts: Accounts | None = None
    alerts: tuple[AlertTarget, ...] = ()
    """Who is told what a person should look at."""
    heartbeat: AlertTarget | None = None
    """What is called at each look."""
    holdout: float = 0.0
    """The share of users who get no marketing email of any loop."""
    goals: tuple[Goal, ...] = ()
    """What should come of all loops together."""
    report: Report = field(default_factory=Report)
    fresh: tuple[Fresh, ...] = ()
    """The tables that must have changed lately, for loops that have no list of their own."""

    def sender_of(self, topic: str | None, named: str | None = None) -> Sender:
        """Return who emails come from: whom a step names of `senders`, else whom their topic names, else `sender`."""
        about = None if topic is None else self.topics.get(topic)
        named = named or (None if about is None else about.sender)
        return self.sender if named is None else self.senders[named].completed(self.sender)

    def shares_its_address(self, topic: str) -> bool:
        """Whether the address of a topic's own sender is that of another topic's, or the only one that there is."""
        addresses = {name: address_of(self.sender_of(name).from_) for name in self.topics}
        others = {address for name, address in addresses.items() if name != topic}
        return not others or addresses[topic] in others

    @property
    def all_senders(self) -> list[Sender]:
        """Everybody whom emails may come from: `sender`, and those of `senders`."""
        return [self.sender, *(one.completed(self.sender) for one in self.senders.values())]

    def domain_of(self, topic: str | None, named: str | None = None) -> str:
        """Return the domain that emails come from; see `sender_of`."""
        return domain_of(self.sender_of(topic, named).from_)

    @property
    def warm_ups(self) -> Mapping[str, WarmUp]:
        """The warm-up of each domain that has one."""
        main = domain_of(self.sender.from_)
        of_all = {domain_of(one.from_) or main: one.warm_up for one in self.senders.values() if one.warm_up is not None}
        return of_all if self.sender.warm_up is None else {main: self.sender.warm_up, **of_all}

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
        if found := list(faults(project, document)):
            raise together(found)
    with boundary.around("environment"):
        variables = read_variables(environ)
        alerts = targets(project.alerts, environ)
        calls = heartbeat(project.heartbeat, environ)
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
        senders=project.senders,
        utm=project.utm,
        accounts=project.accounts,
        alerts=alerts,
        heartbeat=calls,
        holdout=project.holdout,
        goals=tuple(project.goal or ()),
        report=project.report,
        fresh=tuple(project.fresh),
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
