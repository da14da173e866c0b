"""What differs between two versions of the loops, step by step, in the words of their author."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from skene_dagster.delivery.email.templates import checks
from skene_dagster.durations import duration_text
from skene_dagster.loops.plan import AtLevel, Block, InState, LoopPlan, Query, Reached, StepPlan, UsedUp
from skene_dagster.loops.plan_words import briefly, trigger
from skene_dagster.settings import Settings
from skene_dagster.versions import words
from skene_dagster.versions.reading import Version
from skene_dagster.wording import percent

Kind = Literal["changed", "new", "gone"]
Part = Literal["who", "when", "how often", "the mail", "the loop"]

_MOST_LINES = 12
"""Lines of a query that are shown of what was written otherwise."""

_SETTINGS = (
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


@dataclass(frozen=True)
class Side:
    """A step, as one version has it."""

    settings: Settings
    plan: LoopPlan
    step: StepPlan


@dataclass(frozen=True)
class Change:
    """A step that is new, gone, or not as it was."""

    loop: str
    step: str
    kind: Kind
    before: Side | None
    after: Side | None
    parts: dict[Part, str] = field(default_factory=dict)
    """What changed, in words: from what to what."""
    lines: tuple[str, ...] = ()
    """Of a query, the lines that differ, with `-` or `+` before each."""
    selects_otherwise: bool = False
    """Whether it may select others than before."""


def changes(before: Version, after: Version) -> list[Change]:
    """List the steps that differ, in the order of the new files; those that are gone come last."""
    found: list[Change] = []
    for plan in after.loops:
        old = before.plan(plan.name)
        known = {} if old is None else {step.ledger_name: step for step in old.steps}
        for step in plan.steps:
            now = Side(after.settings, plan, step)
            was = known.pop(step.ledger_name, None)
            if old is None or was is None:
                found.append(Change(plan.name, step.name, "new", None, now, selects_otherwise=True))
            elif (one := _compared(Side(before.settings, old, was), now)) is not None:
                found.append(one)
        found += [_gone(before, old, step) for step in known.values() if old is not None]
    kept = {plan.name for plan in after.loops}
    found += [_gone(before, plan, step) for plan in before.loops if plan.name not in kept for step in plan.steps]
    return found


def changed_settings(before: Settings, after: Settings) -> list[str]:
    """Name the parts of skene.yaml that differ."""
    return [name for name in _SETTINGS if getattr(before, name) != getattr(after, name)]


def _gone(before: Version, plan: LoopPlan, step: StepPlan) -> Change:
    return Change(plan.name, step.name, "gone", Side(before.settings, plan, step), None)


def _compared(before: Side, after: Side) -> Change | None:
    old, new = before.step, after.step
    parts: dict[Part, str] = {}
    who = words.turned(briefly(old.condition), briefly(new.condition))
    lines: tuple[str, ...] = ()
    if isinstance(old.condition, Query) and isinstance(new.condition, Query):
        lines = _lines(old.condition.author, new.condition.author)
        who = "the query" if old.condition.author != new.condition.author else ""
    recipient = words.turned(f"recipient {old.recipient or 'user'}", f"recipient {new.recipient or 'user'}")
    who = ", ".join(filter(None, [who, recipient, _elsewhere(before, after)]))
    if who:
        parts["who"] = who
    if when := "; ".join(_when(before, after)):
        parts["when"] = when
    if often := "; ".join(_how_often(before, after)):
        parts["how often"] = often
    if mail := list(_mail(before, after)):
        parts["the mail"] = ", ".join(mail)
    if loop := "; ".join(_loop(before, after)):
        parts["the loop"] = loop
    return Change(after.plan.name, new.name, "changed", before, after, parts, lines, bool(who)) if parts else None


def _elsewhere(before: Side, after: Side) -> str:
    """Name what a condition asks of skene.yaml, as far as it differs."""
    asked = ["accounts" if after.step.per_account else "users"]
    match after.step.condition:
        case AtLevel():
            asked += ["events", "levels"]
        case InState():
            asked += ["events", "features"]
        case Reached():
            asked += ["events", "milestones"]
        case UsedUp():
            asked += ["events"]
        case Query():
            pass
    differ = [name for name in asked if getattr(before.settings, name) != getattr(after.settings, name)]
    return f"{' and '.join(differ)} in skene.yaml" if differ else ""


def _lines(before: str, after: str) -> tuple[str, ...]:
    if before == after:
        return ()
    old, new = ([line.strip() for line in text.strip().splitlines()] for text in (before, after))
    found = [line for line in difflib.ndiff(old, new) if line[:2] in {"- ", "+ "}]
    more = len(found) - _MOST_LINES
    return (*found[:_MOST_LINES], f"  … {more} more") if more > 0 else tuple(found)


def _when(before: Side, after: Side) -> Iterator[str]:
    yield from filter(None, [words.turned(trigger(before.step), trigger(after.step))])
    old, new = before.step.email, after.step.email
    if old is not None and new is not None and old.hours != new.hours:
        yield "the hours of its recipients in which it may leave"
    if before.step.timeout != after.step.timeout:
        yield words.turned(
            f"timeout {duration_text(before.step.timeout)}", f"timeout {duration_text(after.step.timeout)}"
        )


def _how_often(before: Side, after: Side) -> Iterator[str]:
    old, new = before.step.email, after.step.email
    if old is not None and new is not None and old.repeat != new.repeat:
        yield words.turned(f"repeat {_repeat(old.repeat)}", f"repeat {_repeat(new.repeat)}")
    if before.plan.start != after.plan.start:
        yield words.turned(f"start {before.plan.start}", f"start {after.plan.start}")


def _repeat(repeat: str | timedelta) -> str:
    return repeat if isinstance(repeat, str) else duration_text(repeat)


def _mail(before: Side, after: Side) -> Iterator[str]:
    """Name the parts of an email that differ."""
    old, new = before.step.email, after.step.email
    blocks = before.step.action, after.step.action
    if isinstance(blocks[0], Block) != isinstance(blocks[1], Block):
        yield "what is done (block, or email)"
    elif isinstance(blocks[0], Block) and isinstance(blocks[1], Block) and blocks[0].message != blocks[1].message:
        yield "the message of the block"
    if old is None or new is None:
        if old != new:
            yield "no email any more" if new is None else "an email that there was not before"
        return
    if old.template != new.template:
        yield words.turned(f"template {old.template}", f"template {new.template}")
    was, now = (
        checks.parts(side.settings.templates, side.settings.root, email)
        for side, email in ((before, old), (after, new))
    )
    yield from (name for name, text in now.items() if text != was[name])
    for name, is_other in {
        "variants": old.variants != new.variants,
        "personalization": old.personalization != new.personalization,
        "what it shows of skene.yaml": old.about != new.about,
        "what `set` writes": old.set != new.set,
        words.turned(f"topic {old.topic or 'none'}", f"topic {new.topic or 'none'}"): old.topic != new.topic,
        "whom it comes from": before.settings.sender_of(old.topic) != after.settings.sender_of(new.topic),
    }.items():
        if is_other:
            yield name


def _loop(before: Side, after: Side) -> Iterator[str]:
    old, new = before.plan, after.plan
    if before.step.name != after.step.name:
        yield f"renamed from {before.step.name}"
    if old.holdout != new.holdout:
        yield words.turned(f"holdout {percent(old.holdout)}", f"holdout {percent(new.holdout)}")
    if old.priority != new.priority:
        yield words.turned(f"priority {old.priority}", f"priority {new.priority}")
    for name in ("goals", "fresh", "recovery", "on_doubt"):
        if getattr(old, name) != getattr(new, name):
            yield f"{name}"
