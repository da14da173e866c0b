"""What differs between two versions of the loops, step by step, in the words of their author."""

import difflib
from dataclasses import dataclass, field
from typing import Literal

from skene_dagster.loops.plan import AtLevel, InState, LoopPlan, Query, Reached, StepPlan, UsedUp
from skene_dagster.settings import Settings
from skene_dagster.versions.described import SETTINGS, Described, Part, compared, of_loop, of_step
from skene_dagster.versions.reading import Version

Kind = Literal["changed", "new", "gone"]
_PARTS: tuple[Part, ...] = ("when", "how often", "the mail", "the loop")
"""In this order they are told, after who is selected."""

_MOST_LINES = 12
"""Lines of a query that are shown of what was written otherwise."""


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
    return [name for name in SETTINGS if getattr(before, name) != getattr(after, name)]


def _gone(before: Version, plan: LoopPlan, step: StepPlan) -> Change:
    return Change(plan.name, step.name, "gone", Side(before.settings, plan, step), None)


def _compared(before: Side, after: Side) -> Change | None:
    old, new = before.step, after.step
    found = compared(_described(before), _described(after))
    who = ", ".join(filter(None, [found.pop("who", ""), _elsewhere(before, after)]))
    parts: dict[Part, str] = {"who": who} if who else {}
    parts |= {part: found[part] for part in _PARTS if part in found}
    if old.name != new.name:
        parts["the loop"] = "; ".join(filter(None, [f"renamed from {old.name}", parts.get("the loop")]))
    lines: tuple[str, ...] = ()
    if isinstance(old.condition, Query) and isinstance(new.condition, Query):
        lines = _lines(old.condition.author, new.condition.author)
    return Change(after.plan.name, new.name, "changed", before, after, parts, lines, bool(who)) if parts else None


def _described(side: Side) -> Described:
    return {**of_step(side.settings, side.plan, side.step), "the loop": of_loop(side.plan)}


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
