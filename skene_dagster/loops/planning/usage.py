"""The settings about what users do, resolved: every name and every SQL text, frozen and pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from skene_dagster.documents import Document, one_of, together
from skene_dagster.errors import DocumentError, QueryRejected, SettingsError
from skene_dagster.loops import tidb_features
from skene_dagster.loops.dialect import read_expression
from skene_dagster.loops.plan import Expression
from skene_dagster.settings import FILE, OWN_EVENTS, Events, Feature, Levels, Milestone, Settings, Users


@dataclass(frozen=True)
class FeaturePlan:
    """A feature, and under which names its uses are counted."""

    name: str
    counted_as: tuple[str, ...]
    """The names of events; of a feature that is SQL the one name `feature:<name>`, which no event has."""
    sql: Expression | None
    adopted_uses: int
    adopted_days: int
    lapsed_after: timedelta


@dataclass(frozen=True)
class MilestonePlan:
    """A milestone: the `count`-th use under one of some names, a streak, or an anniversary."""

    name: str
    counted_as: tuple[str, ...]
    count: int
    streak: int | None
    anniversary: timedelta | None


@dataclass(frozen=True)
class UsagePlan:
    """Everything that a rollup computes."""

    events: Events
    users: Users
    """Whom the events are of."""
    features: tuple[FeaturePlan, ...]
    levels: Levels
    milestones: tuple[MilestonePlan, ...]

    @property
    def sql_features(self) -> tuple[FeaturePlan, ...]:
        """The features whose uses are found by SQL over the events."""
        return tuple(feature for feature in self.features if feature.sql is not None)

    @property
    def digests(self) -> Mapping[str, str]:
        """What each part says, in short; a part that changes its digest is computed again.

        `events` are the facts that all others are computed from; `levels` are what activity and the levels need.
        """
        sql = [(feature.name, feature.sql.author) for feature in self.sql_features if feature.sql is not None]
        parts: dict[str, object] = {"events": (self.events, sql), "levels": self.levels}
        parts |= {f"feature:{feature.name}": feature for feature in self.features}
        # A milestone of a feature whose SQL changes is a different table.
        parts |= {
            f"milestone:{milestone.name}": (
                milestone,
                [text for name, text in sql if f"feature:{name}" in milestone.counted_as],
            )
            for milestone in self.milestones
        }
        return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in parts.items()}


def plan_usage(settings: Settings, document: Document | None = None) -> UsagePlan:
    """Resolve what skene.yaml says of events, features, levels and milestones.

    Args:
        document: the file, for the lines of what is wrong.

    Raises:
        DocumentErrors, or a single SettingsError: everything that is impossible.
    """
    document = document or Document(FILE, {})
    faults: list[DocumentError] = []
    features = {name: _feature(name, feature, document, faults) for name, feature in settings.features.items()}
    faults += _faults_of_names(settings, document)
    faults += _faults_of_milestones(settings, document)
    faults += _faults_of_tidb_usage(settings, document)
    if faults:
        raise together(faults)
    return UsagePlan(
        settings.events,
        settings.users,
        tuple(features[name] for name in sorted(features)),
        settings.levels,
        tuple(_milestone(name, settings.milestones[name], features) for name in sorted(settings.milestones)),
    )


def _feature(name: str, feature: Feature, document: Document, faults: list[DocumentError]) -> FeaturePlan:
    sql: Expression | None = None
    if feature.sql.strip():
        try:
            path = "features", name, "sql"
            sql = read_expression(feature.sql, place=document.text_place(path), lines=document.text_lines(path))
        except QueryRejected as bad:
            faults.append(SettingsError(bad.message, advice=bad.advice, place=bad.place))
    names = (f"feature:{name}",) if feature.sql.strip() else tuple(sorted(set(feature.events)))
    return FeaturePlan(name, names, sql, feature.adopted_uses, feature.adopted_days, feature.lapsed_after)


def _milestone(name: str, milestone: Milestone, features: Mapping[str, FeaturePlan]) -> MilestonePlan:
    names: tuple[str, ...] = ()
    if milestone.event is not None:
        names = (milestone.event,)
    elif milestone.feature is not None:
        names = features[milestone.feature].counted_as
    return MilestonePlan(name, names, milestone.count, milestone.streak, milestone.anniversary)


def _faults_of_names(settings: Settings, document: Document) -> Iterator[SettingsError]:
    ours = {f"feature:{name}" for name, feature in settings.features.items() if feature.sql.strip()}
    for path, event in _names_said(settings):
        if event in ours:
            yield SettingsError(
                f"{event!r} is the name under which the uses of a feature that is SQL are counted.",
                advice="Name the feature, or give it another name than the event has.",
                place=document.place(path),
            )


def _names_said(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """List the names of events in skene.yaml, and where they are."""
    for name, feature in settings.features.items():
        for event in feature.events:
            yield ("features", name, "events"), event
    for name, milestone in settings.milestones.items():
        if milestone.event:
            yield ("milestones", name, "event"), milestone.event


def _faults_of_tidb_usage(settings: Settings, document: Document) -> Iterator[SettingsError]:
    if settings.tidb_usage is None:
        return
    if settings.events != OWN_EVENTS:
        yield SettingsError(
            f"What is found of TiDB's use goes into {OWN_EVENTS.table}, but 'events' names a different table.",
            advice="Remove one of the two.",
            place=document.place(("tidb_usage",)),
        )
    for path, event in _names_said(settings):
        name = event.removeprefix(tidb_features.PREFIX)
        if name != event and name not in tidb_features.FEATURES:
            yield SettingsError(
                f"{name!r} is not a TiDB feature that is recognized.",
                advice=one_of(name, tidb_features.FEATURES),
                place=document.place(path),
            )


def _faults_of_milestones(settings: Settings, document: Document) -> Iterator[SettingsError]:
    for name, milestone in settings.milestones.items():
        if milestone.feature is not None and milestone.feature not in settings.features:
            known = sorted(settings.features)
            yield SettingsError(
                f"{milestone.feature!r} is not a feature.",
                advice=one_of(milestone.feature, known) if known else f"Describe it in {FILE}, below `features:`.",
                place=document.place(("milestones", name, "feature")),
            )
        if milestone.anniversary is not None and settings.users.created_at is None:
            yield SettingsError(
                "An anniversary is counted from `users.created_at`, which is not set.",
                advice=f"Set users.created_at in {FILE} to the column that says since when somebody is a user.",
                place=document.place(("milestones", name, "anniversary")),
            )
