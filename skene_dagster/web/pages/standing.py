"""Which email somebody gets, and what of it a request changes. Pure, but for `read`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection
from typing_extensions import assert_never

from skene_dagster.consent import preferences, suppressions
from skene_dagster.consent.preferences import Answer
from skene_dagster.consent.suppressions import Scope, topic_scope
from skene_dagster.consent.tokens import Token
from skene_dagster.settings import Topic
from skene_dagster.web.pages.forms import Chosen, OneClick

MARKETING: Scope = "marketing"

Answers: TypeAlias = tuple[tuple[Answer, Scope], ...]


@dataclass(frozen=True)
class Standing:
    """What somebody gets now."""

    is_known: bool
    """False while the database is away: then it is what holds of who said nothing."""
    marketing: bool
    """Whether they get any marketing email at all."""
    on: frozenset[str]
    """The topics that they get, if they get any."""
    open: frozenset[str] = frozenset()
    """The topics that they get if they agreed to them in the product, for they never answered here."""

    def after(self, answers: Answers) -> "Standing":
        """Say what holds once they have answered."""
        marketing, on = self.marketing, set(self.on)
        for answer, scope in answers:
            if scope == MARKETING:
                marketing = answer == "yes"
            elif answer == "yes":
                on.add(scope.removeprefix("topic:"))
            else:
                on.discard(scope.removeprefix("topic:"))
        # Whoever wants nothing, or has saved all choices, has said all that there is to know.
        says_all = ("no", MARKETING) in answers or len(answers) > 1
        left = self.open - {scope.removeprefix("topic:") for _, scope in answers}
        return Standing(self.is_known or says_all, marketing, frozenset(on), left)


def agreed_elsewhere(topics: Mapping[str, Topic]) -> frozenset[str]:
    """Name the topics to which somebody may have agreed in the product, which is not read here."""
    return frozenset(name for name, topic in topics.items() if topic.default == "off" and topic.asked.strip())


def unknown(token: Token, topics: Mapping[str, Topic]) -> Standing:
    """Assume what holds of somebody who said nothing, but was mailed about this topic."""
    on = {name for name, topic in topics.items() if topic.default == "on"}
    left = agreed_elsewhere(topics) - {token.topic}
    return Standing(is_known=False, marketing=True, on=frozenset(on | {token.topic}), open=left)


def read(connection: Connection, token: Token, topics: Mapping[str, Topic], now: datetime) -> Standing:
    """Read what holds of the token's recipient."""
    names = (token.recipient, token.user)
    scopes = {name: topic_scope(name) for name in {*topics, token.topic}}
    said = preferences.answers(connection, names, list(scopes.values()))
    stopped = suppressions.held(connection, names, [MARKETING, *scopes.values()], now)

    def is_on(name: str) -> bool:
        if scopes[name] in stopped:
            return False
        # What is off until somebody wants it: whoever was mailed about it did.
        asks_first = name in topics and topics[name].default == "off"
        usual = "no" if asks_first and name != token.topic else "yes"
        return not asks_first or said.get(scopes[name], usual) == "yes"

    on = frozenset(name for name in scopes if is_on(name))
    left = frozenset(name for name in agreed_elsewhere(topics) - on if not {scopes[name]} & {*said, *stopped})
    return Standing(is_known=True, marketing=MARKETING not in stopped, on=on, open=left)


def answers_of(form: OneClick | Chosen, token: Token, topics: Mapping[str, Topic]) -> Answers:
    """Say what a request answers."""
    if isinstance(form, OneClick):
        return (("no", token.one_click),)
    match form.act:
        case "no_marketing":
            return (("no", MARKETING),)
        case "no_topic":
            return (("no", topic_scope(token.topic)),)
        case "yes_marketing":
            return (("yes", MARKETING),)
        case "yes_topic":
            return (("yes", topic_scope(token.topic)),)
        case "save":
            return _saved(form, sorted(topics))
        case _:
            assert_never(form.act)


def _saved(form: Chosen, topics: Sequence[str]) -> Answers:
    """Answer for each topic that was shown. Whoever turns one on wants marketing email, but not what stays off.

    What they left open stays as it is: whoever turns all others off may still want it.
    """
    left = form.left & {*topics}
    on = [name for name in topics if name in form.on and name in form.shown]
    off = [name for name in topics if name not in form.on and name not in left and (name in form.shown or on)]
    marketing: list[tuple[Answer, Scope]] = [("yes" if on else "no", MARKETING)] if on or not left else []
    yes: list[tuple[Answer, Scope]] = [("yes", topic_scope(name)) for name in on]
    no: list[tuple[Answer, Scope]] = [("no", topic_scope(name)) for name in off]
    return (*marketing, *yes, *no)
