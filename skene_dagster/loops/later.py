"""What loads and is planned, but cannot run yet: said by name when a loop is validated, never when it runs."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from skene_dagster.documents import Spec, duration_text, shown
from skene_dagster.loops import model


def details_of(part: Spec) -> tuple[tuple[str, str], ...]:
    """List the fields of a part as texts, in the order of the format: (("table", "users"), ("event", "insert"))."""
    return tuple(_flat(part.model_dump(mode="python", exclude={"type"}, exclude_none=True, by_alias=False), ""))


def not_yet(loop: model.Loop) -> Iterator[str]:
    """Yield one sentence for each thing in a loop that cannot run yet."""
    for number, step in enumerate(loop.steps, start=1):
        for part, kind, runs in (
            ("trigger", step.trigger.type, "schedule"),
            ("condition", step.condition.type, "query"),
            ("action", step.action.type, "email"),
        ):
            if kind != runs:
                yield f"step {number}: the {part} {kind!r} is known, not yet run."
        if step.renamed_from is not None:
            yield f"step {number}: 'renamed_from' is known, not yet run."
    if loop.goal is not None:
        yield "The goal is known, not yet run."
    if loop.holdout:
        yield "The holdout is known, not yet run: everyone is mailed."
    if loop.priority:
        yield "The priority is known, not yet run."


def _flat(values: Mapping[str, object], before: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        label = before + name.rstrip("_")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}.")
        else:
            yield label, _text(value)


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, float):
        return f"{value:g}".replace("inf", "Infinity")
    return shown(value) if isinstance(value, bool) else str(value)
