"""What a goal asks, in words: for descriptions, checks and the report."""

from typing_extensions import assert_never

from skene_dagster.durations import duration_text
from skene_dagster.loops.plan import GoalPlan


def did(goal: GoalPlan) -> str:
    """Say what those did who reached it, in the past tense: `came back within 14d`."""
    return f"{_did(goal)} within {duration_text(goal.within)}"


def _did(goal: GoalPlan) -> str:
    match goal.kind:
        case "returns":
            return "came back"
        case "event":
            return f"did {goal.value!r}"
        case "feature":
            return f"adopted the feature {goal.value!r}"
        case "level":
            return f"reached the level {goal.value!r}"
        case "query":
            return f"were found by the goal's query in {', '.join(goal.query.tables) if goal.query else ''}"
        case _:
            assert_never(goal.kind)
