"""What `diff` prints."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from skene_dagster.cli.screen import Screen, mask
from skene_dagster.explain.reasons import reason_in_words
from skene_dagster.loops.plan_words import briefly, trigger
from skene_dagster.store.keys import as_text
from skene_dagster.versions.changes import Change
from skene_dagster.versions.effects import EXAMPLES, Effect, Effects, FirstTick
from skene_dagster.versions.pressure import Pressure
from skene_dagster.wording import how_many

_NAME = 25
"""The width of a step's name, and of what is said about it."""

_MANY = 2
"""From so many emails on people are counted together."""


def tell(screen: Screen, found: Effects, settings: Sequence[str], version: str) -> None:
    """Print what differs from a version, step by step."""
    if not found.steps:
        screen.paragraph(f"No step differs from {version}.")
    else:
        screen.paragraph(f"{_how_much(found.steps)} · inside: now · mails: last 28 days")
    if settings:
        screen.paragraph(f"skene.yaml: {', '.join(settings)} changed.")
    for one in found.steps:
        screen.line()
        _tell_step(screen, one)
    if found.pressure is not None and found.steps:
        screen.line()
        _row(screen, "everybody's mails in 7 days", _pressure(found.pressure))
    _tell_examples(screen, found.steps)


def _how_much(steps: Sequence[Effect]) -> str:
    changed = sum(one.change.kind == "changed" for one in steps)
    told = [f"{how_many(changed, 'step')} changed"]
    for kind in ("new", "gone"):
        some = sum(one.change.kind == kind for one in steps)
        told.append(f"{some or 'none'} {kind}")
    return ", ".join(told)


def _tell_step(screen: Screen, one: Effect) -> None:
    change = one.change
    name = f"{change.loop} · {change.step}"
    said = _said(change)
    if len(name) < _NAME:
        _row(screen, name, said[0], style="bold", before="")
    else:
        screen.line(name, "bold")
        _row(screen, "", said[0])
    for more in said[1:]:
        _row(screen, "", more)
    for line in change.lines:
        _row(screen, "", line)
    if one.unknown:
        _row(screen, "inside", f"not known. {one.unknown}")
    elif one.inside is not None:
        counts = " → ".join(f"{n:,}" for n in (one.inside.before or 0, one.inside.after or 0))
        moves = f"{one.inside.come_in:,} come in, {one.inside.go_out:,} go out"
        _row(screen, "inside", f"{counts:<18}{moves}" if change.kind == "changed" else counts)
    elif change.after is not None and change.after.step.by_row and change.selects_otherwise:
        _row(screen, "inside", "nobody: it is about single rows, or emails, as they come")
    if one.mails_then is not None or (one.mails is not None and change.kind != "new"):
        _row(screen, "mails a month", _a_month(one))
    if one.first_tick is not None:
        _row(screen, "at the first tick", _first_tick(one.first_tick))
        for why in one.first_tick.held.values():
            _row(screen, "! it would be held", why)
        if one.first_tick.waits_for_approval:
            way = f"it would wait for `approve {change.loop}`. {one.first_tick.waits_for_approval}"
            _row(screen, "! in production", way)


def _a_month(one: Effect) -> str:
    if one.change.kind == "gone":
        return f"{one.mails or 0:,}, and no more"
    if one.mails_then is None:
        is_same = set(one.change.parts) == {"the mail"}
        return f"{one.mails or 0:,} until now{'' if is_same else ', of the new version not known'}"
    if one.change.kind == "new":
        return f"{one.mails_then:,}, replayed"
    more = f"     {100 * (one.mails_then - one.mails) / one.mails:+.0f} %" if one.mails else ""
    return f"{one.mails or 0:,} → {one.mails_then:,}{more}, replayed"


def _said(change: Change) -> list[str]:
    side = change.after or change.before
    assert side is not None, "it is of one version at least"
    if change.kind == "new":
        return [f"NEW, {trigger(side.step)}", f"who: {briefly(side.step.condition)}"]
    if change.kind == "gone":
        return ["GONE"]
    same = [name for name in ("who", "when") if name not in change.parts]
    told = [f"{part}: {words}" for part, words in change.parts.items()]
    if len(same) == len(("who", "when")) and "the mail" in change.parts:
        told[-1] += ". Who and when: the same"
    return told


def _first_tick(first: FirstTick) -> str:
    counts = first.counts
    told = [f"about {how_many(counts.get('mail', 0), 'mail')} at once"]
    if held_out := sum(n for outcome, n in counts.items() if outcome.startswith("held_out")):
        told.append(f"{held_out:,} held out")
    told += [f"{n:,} wait: {reason_in_words(outcome)}" for outcome, n in _of(counts, "deferred:")]
    told += [f"{n:,} get none: {reason_in_words(outcome)}" for outcome, n in _of(counts, "skipped:")]
    return "; ".join(told)


def _of(counts: Mapping[str, int], kind: str) -> Iterator[tuple[str, int]]:
    yield from sorted((outcome, n) for outcome, n in counts.items() if outcome.startswith(kind))


def _pressure(felt: Pressure) -> str:
    most = max((*felt.before, *felt.after, 0))
    total = sum(felt.before.values()) or 1
    told = []
    for mails in range(min(most, _MANY) + 1):
        both = [
            sum(people for n, people in side.items() if n == mails or (mails == _MANY and n > _MANY))
            for side in (felt.before, felt.after)
        ]
        shares = [f"{100 * people / total:.0f}" for people in both]
        name = "none" if mails == 0 else f"{mails}:" if mails < _MANY else f"{_MANY}+:"
        told.append(f"{name} {' → '.join(dict.fromkeys(shares))} %")
    return "   ".join(told)


def _tell_examples(screen: Screen, steps: Sequence[Effect]) -> None:
    for what, who in (("come in", "come_in"), ("go out", "go_out")):
        keys = list(dict.fromkeys(key for one in steps for key in getattr(one, who)))[:EXAMPLES]
        if keys:
            shown = ", ".join(_key(key) for key in keys)
            _row(screen, f"{len(keys)} who {what}", f"user {shown}   (--json: all of them)")


def _key(key: object) -> str:
    text = as_text(key)
    return mask(text) if "@" in text else text


def _row(screen: Screen, name: str, said: str, *, style: str = "", before: str = "  ") -> None:
    """Print a name and what is said about it, in two columns."""
    head = f"{before}{name}"
    width = max(_NAME, len(head) + 2)
    lines = textwrap.wrap(said, screen.width - width, break_long_words=False, break_on_hyphens=False) or [""]
    screen.line(f"{head:<{width}}{lines[0]}", style)
    for line in lines[1:]:
        screen.line(f"{'':{width}}{line}")
