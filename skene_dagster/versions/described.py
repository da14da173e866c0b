"""What a version of a step, a loop or skene.yaml says, part by part: by it two are compared, and it can be kept.

A value is text that people read, if its name begins with `=`; else a digest, of which only the name is told. No text of
an author is in it, which might name a person: neither SQL nor what emails say.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel

from skene_dagster import locales
from skene_dagster.delivery.email.templates import checks
from skene_dagster.durations import duration_text
from skene_dagster.loops.plan import Block, Email, LoopPlan, Query, StepPlan
from skene_dagster.loops.plan_words import briefly, trigger
from skene_dagster.settings import Settings
from skene_dagster.versions import words
from skene_dagster.wording import percent

Part = Literal["who", "when", "how often", "the mail", "the loop"]

Described = Mapping[str, Mapping[str, str]]
"""By part, the value of each name."""

SETTINGS = (
    "users",
    "accounts",
    "events",
    "features",
    "levels",
    "milestones",
    "sender",
    "senders",
    "topics",
    "limits",
    "holdout",
    "fresh",
    "retention",
)
"""Parts of skene.yaml that are compared."""

_UTM = "the utm parameters of its links"

_ONLY_WHERE_SAID = (_UTM,)
"""Names that are left out where there is nothing to say: so what was kept before there were any still compares."""

_BETWEEN: Mapping[str, str] = {"who": ", ", "the mail": ", "}
"""What stands between two changes of a part; elsewhere a semicolon."""


def of_step(settings: Settings, plan: LoopPlan, step: StepPlan) -> Described:
    """Describe a step; what it has of its loop is in `of_loop`."""
    condition, email = step.condition, step.email
    who = {"=condition": briefly(condition), "=recipient": f"recipient {step.recipient or 'user'}"}
    if isinstance(condition, Query):
        who["the query"] = _digest(condition.author)
    when = {"=trigger": trigger(step), "=timeout": f"timeout {duration_text(step.timeout)}"}
    often = {"=start": f"start {plan.start}"}
    mail = {"what is done (block, or email)": "block" if isinstance(step.action, Block) else "email"}
    if isinstance(step.action, Block):
        mail["the message of the block"] = _digest(step.action.message)
    if email is not None:
        when["the hours of its recipients in which it may leave"] = _digest(email.hours)
        often["=repeat"] = f"repeat {email.repeat if isinstance(email.repeat, str) else duration_text(email.repeat)}"
        mail |= _of_email(settings, email)
    return {"who": who, "when": when, "how often": often, "the mail": mail}


def of_loop(plan: LoopPlan) -> Mapping[str, str]:
    """Describe what all steps of a loop have in common."""
    return {
        "=holdout": f"holdout {percent(plan.holdout)}",
        "=priority": f"priority {plan.priority}",
        "goals": _digest([goal.key for goal in plan.goals]),
        "fresh": _digest(plan.fresh),
        "recovery": _digest(plan.recovery),
        "on_doubt": plan.on_doubt,
    }


def of_settings(settings: Settings) -> Mapping[str, str]:
    """Describe skene.yaml: numbers as they are, and of all else only whether it is the same."""
    return dict(pair for name in SETTINGS for pair in _of_setting(name, getattr(settings, name)))


def compared(before: Described, after: Described) -> dict[str, str]:
    """Say what differs, by part and in words: from what to what."""
    found: dict[str, str] = {}
    for part, new in after.items():
        old = before.get(part, {})
        if differ := list(differences(old, new)):
            found[part] = _BETWEEN.get(part, "; ").join(differ)
    return found


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Say of each name that both have what it was and is, or that it differs."""
    if ("=template" in old) != ("=template" in new):
        # What else is said of an email was not there, or is not any more.
        yield "an email that there was not before" if "=template" in new else "no email any more"
    for name, value in new.items():
        if name in old and old[name] != value:
            yield words.turned(old[name], value) if name.startswith("=") else name
    yield from (
        name for name in _ONLY_WHERE_SAID if "=template" in old.keys() & new.keys() and (name in old) != (name in new)
    )


def _of_email(settings: Settings, email: Email) -> dict[str, str]:
    parts = checks.parts(settings.templates, settings.root, email)
    shares = ", ".join(f"{name} {percent(share)}" for name, share in email.variants)
    others = ", ".join(sorted(locales.spelled(tag) for tag in parts if tag))
    return {
        "=template": f"template {email.template}" + (f" in {others}" if others else ""),
        **{
            name + (f" in {locales.spelled(tag)}" if tag else ""): _digest(texts)
            for tag, of_language in parts.items()
            for name, texts in of_language.items()
        },
        "=variants": f"variants {shares or 'none'}",
        "personalization": _digest(email.personalization),
        "what it shows of skene.yaml": _digest([(name, _plain(thing)) for name, thing in email.about]),
        "what `set` writes": _digest(email.set),
        "=topic": f"topic {email.topic or 'none'}",
        **({} if email.utm is None else {_UTM: _digest([email.utm.hosts, email.utm.parameters])}),
        "whom it comes from": _digest(_plain(settings.sender_of(email.topic, email.sender))),
    }


def _of_setting(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case bool() | int():
            yield f"={name}", f"{name} {value}"
        case float():
            yield f"={name}", f"{name} {percent(value)}"
        case timedelta():
            yield f"={name}", f"{name} {duration_text(value)}"
        case BaseModel():
            for field in sorted(type(value).model_fields):
                yield from _of_setting(f"{name}.{field.rstrip('_')}", getattr(value, field))
        case _:
            yield name, _digest(_plain(value))


def _plain(value: object) -> object:
    """Say a value without what is the default, which may be another one in the next release."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json", exclude_defaults=True)
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return value


def _digest(value: object) -> str:
    text = json.dumps(_plain(value), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
