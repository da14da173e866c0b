"""skene.yaml as it is written, and what in it contradicts itself; what one value alone says, its type checks."""

from collections.abc import Iterator
from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field

from skene_dagster.documents import Document, Spec, one_of, shown
from skene_dagster.durations import duration_text
from skene_dagster.errors import SettingsError
from skene_dagster.settings.addresses import domain_of
from skene_dagster.settings.alerts import Alert, Variable
from skene_dagster.settings.clock_time import ClockTime
from skene_dagster.settings.fresh import Fresh, repeated
from skene_dagster.settings.goals import Goals
from skene_dagster.settings.product import Accounts, Limits, Sender, Users, WarmUp
from skene_dagster.settings.retention import Retention
from skene_dagster.settings.shares import Share
from skene_dagster.settings.topics import Topic, TopicSender
from skene_dagster.settings.usage import OWN_EVENTS, Events, Feature, Key, Levels, Milestone, TidbUsage
from skene_dagster.settings.utm import Utm


def _a_folder(name: str) -> str:
    if not name or not name.isprintable() or len(name) > 1000:
        raise ValueError(f"{shown(name)} is not the name of a folder")
    return name


Folder = Annotated[str, AfterValidator(_a_folder)]


class Report(Spec):
    """Whether the loops work."""

    at: ClockTime = time(3)
    """When it is measured each day what came of the loops (UTC): `03:00`."""


class ProjectFile(Spec):
    """skene.yaml."""

    users: Users = Users()
    accounts: Accounts | None = None
    """The product's accounts, for loops that are `per: account`. Default: it has none."""
    sender: Sender = Sender()
    limits: Limits = Limits()
    fresh: list[Fresh] = Field(default_factory=list)
    """The tables that must have changed lately, or no loop mails anybody. Default: none; a loop's own list replaces
    this one."""
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
    senders: dict[Key, TopicSender] = Field(default_factory=dict)
    """Who the emails of some topics or steps come from, by a short name."""
    utm: Utm | None = None
    """What links to the product's own pages say to web analytics. Default: nothing."""
    holdout: Share = 0.0
    """The share of users who get no marketing email of any loop, to measure all of them together: `5%` or `0.05`."""
    goal: Goals | None = None
    """What should come of all loops together: one goal or a list, of which the first decides whether they work."""
    report: Report = Report()
    alerts: list[Alert] = Field(default_factory=list, max_length=10)
    """Who is told what a person should look at."""
    heartbeat: Variable | None = None
    """The environment variable with an address that is called each minute while all is looked at."""
    loops: Folder = "loops"
    """The folder of the loop files."""
    templates: Folder = "templates"
    """The folder of the email templates."""
    outbox: Folder = ".skene/outbox"
    """The folder for emails that may not be sent."""
    spool: Folder = ".skene/spool"
    """The folder in which answers of recipients wait while the database is away."""


def faults(project: ProjectFile, document: Document) -> Iterator[SettingsError]:
    """List what cannot be meant."""
    yield from _faults_of_retention(project, document)
    yield from _faults_of_topics(project, document)
    yield from _faults_of_warm_ups(project, document)
    yield from _faults_of_growth(project, document)
    yield from _faults_of_caps(project, document)
    for position in repeated(project.fresh):
        yield SettingsError(
            f"{project.fresh[position].name} is listed twice.",
            advice="Keep one.",
            place=document.place(("fresh", position, "column")),
        )
    if project.sender.public_url and project.sender.unsubscribe_url.strip():
        yield SettingsError(
            "'sender.public_url' is for our own unsubscribe pages, 'sender.unsubscribe_url' for one of the product's.",
            advice="Remove one of the two.",
            place=document.place(("sender", "unsubscribe_url")),
        )


def _faults_of_topics(project: ProjectFile, document: Document) -> Iterator[SettingsError]:
    for name, topic in project.topics.items():
        if topic.sender is not None and topic.sender not in project.senders:
            known = sorted(project.senders)
            yield SettingsError(
                f"There is no sender {topic.sender!r}.",
                advice=one_of(topic.sender, known) if known else "Describe it below `senders:`.",
                place=document.place(("topics", name, "sender")),
            )
        if topic.default == "off" and not topic.asked.strip() and not project.sender.public_url:
            yield SettingsError(
                f"Nobody can say yes to {name!r}: it has no 'asked', and there are no pages of ours to say it on.",
                advice="Set sender.public_url, or write `asked`.",
                place=document.place(("topics", name, "default")),
            )
        if topic.asked.strip() and topic.default == "on":
            yield SettingsError(
                "'asked' says who agreed, but everybody gets this topic: its 'default' is on.",
                advice="Write `default: off`, or remove `asked`.",
                place=document.place(("topics", name, "asked")),
            )


def _faults_of_warm_ups(project: ProjectFile, document: Document) -> Iterator[SettingsError]:
    """Receivers know a sender by its domain: one that has two warm-ups has none that is kept."""
    main = domain_of(project.sender.from_)
    known = {main: "sender"} if project.sender.warm_up is not None else {}
    for name, sender in project.senders.items():
        if sender.warm_up is None:
            continue
        domain, here = domain_of(sender.from_) or main, f"senders.{name}"
        if domain in known:
            yield SettingsError(
                f"{known[domain]!r} and {here!r} both send from {domain or 'the same address'}, and a domain has one "
                "warm-up.",
                advice="Remove one of the two.",
                place=document.place(("senders", name, "warm_up")),
            )
        known.setdefault(domain, here)


def _faults_of_caps(project: ProjectFile, document: Document) -> Iterator[SettingsError]:
    """A cap that another one makes pointless was meant otherwise."""
    caps = project.limits.caps
    for n, cap in enumerate(caps):
        # Of two that are the same, the second one is too much.
        others = [one for m, one in enumerate(caps) if m != n and (one != cap or m < n)]
        tighter = next((one for one in others if one.count <= cap.count and one.within >= cap.within), None)
        if tighter is not None:
            yield SettingsError(
                f"This cap never matters: nobody gets more than {tighter.count} in {duration_text(tighter.within)}, so "
                f"nobody gets more than {cap.count} in {duration_text(cap.within)}.",
                advice="Remove it, or write a smaller `count`.",
                place=document.place(("limits", "caps", n)),
            )


def _faults_of_growth(project: ProjectFile, document: Document) -> Iterator[SettingsError]:
    """Each day of a warm-up has more emails than all before it: a gate that allows so many more would hold each day."""
    volume = project.limits.volume
    warm_ups: list[tuple[tuple[str, ...], WarmUp | None]] = [(("sender",), project.sender.warm_up)]
    warm_ups += [(("senders", name), sender.warm_up) for name, sender in project.senders.items()]
    for where, warm_up in warm_ups:
        # Budgets are rounded down, so a step may need a little more than the factor.
        if volume is not None and warm_up is not None and warm_up.factor >= volume:
            yield SettingsError(
                f"Each day of this warm-up has {warm_up.factor:g} times as many emails as the day before, and "
                f"'limits.volume' holds a step at {volume:g} times as many as at its largest tick: it would hold it "
                "each day.",
                advice="Write a smaller `factor`, or a larger `limits.volume`.",
                place=document.place((*where, "warm_up", "factor")),
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
