"""The option --scope: what a suppression stops, as a person names it and is told it."""

from collections.abc import Collection

import click

from skene_dagster.consent.suppressions import SCOPES, Scope, is_topic_scope, topic_scope
from skene_dagster.documents import one_of
from skene_dagster.settings import Settings

METAVAR = "all|marketing|topic:NAME"

_STOPS = {"all": "no email at all", "marketing": "no marketing email"}


def checked(_context: click.Context, _parameter: click.Parameter, scope: str | None) -> Scope | None:
    """Return a scope; refuse what cannot be one."""
    if scope is None or scope in SCOPES or is_topic_scope(scope):
        return scope
    raise click.BadParameter(f"{scope!r} is not a scope. Write {', '.join(SCOPES)}, or topic:NAME.")


def refuse_unknown_topic(scope: Scope | None, settings: Settings, on_record: Collection[Scope] = ()) -> None:
    """Refuse the scope of a topic that is neither in skene.yaml nor on record."""
    if scope is None or scope in SCOPES or scope in on_record:
        return
    topics = {topic_scope(name): name for name in settings.topics}
    if scope not in topics:
        known = list(dict.fromkeys([*topics, *(one for one in on_record if one not in SCOPES)]))
        raise click.BadParameter(f"There is no such topic. {one_of(scope, known)}", param_hint="--scope")


def chosen(scope: Scope | None) -> Collection[Scope] | None:
    """Return the scopes that a command is about; None: every one."""
    return None if scope is None else (scope,)


def stops(scopes: Collection[Scope]) -> str:
    """Say what some suppressions of one recipient stop together."""
    for scope, words in _STOPS.items():
        if scope in scopes:
            return words
    return f"no email about {', '.join(sorted(scope.removeprefix(topic_scope('')) for scope in scopes))}"
