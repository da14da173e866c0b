"""Goals: of which kinds they are, what is refused with its line, and when a goal is another goal."""

from datetime import timedelta
from pathlib import Path

import pytest
from test_planning import EXPORT, LOOP
from test_planning import faults as faults_of
from test_planning import plan as plan_of

from skene_dagster.errors import SettingsError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.goals import plan_all_loops
from skene_dagster.settings import load, read_settings

FEATURE = "{feature: export, within: 7d}"
PAID = "SELECT user_id, paid_at AS at, amount AS value FROM invoices"


def plan(text: str) -> LoopPlan:
    return plan_of(text, features={"export": EXPORT})


def faults(text: str) -> list[str]:
    return faults_of(text, features={"export": EXPORT})


def goals(text: str) -> list[tuple[str, str, int]]:
    return [(goal.kind, goal.value, goal.within.days) for goal in plan(f"{LOOP}goal: {text}\n").goals]


def key(text: str) -> str:
    return plan(f"{LOOP}goal: {text}\n").goals[0].key


@pytest.mark.parametrize(
    ("goal", "planned"),
    [
        ("{returns_within: 14d}", ("returns", "", 14)),
        ("{event: upgraded, within: 1d}", ("event", "upgraded", 1)),
        (FEATURE, ("feature", "export", 7)),
        ("{level: power, within: 4w}", ("level", "power", 28)),
        (f'{{query: "{PAID}", within: 30d}}', ("query", PAID, 30)),
    ],
)
def test_a_goal_is_of_one_kind(goal: str, planned: tuple[str, str, int]) -> None:
    assert goals(goal) == [planned]


def test_there_may_be_several_of_which_the_first_decides() -> None:
    assert goals("[{returns_within: 14d}, {event: upgraded, within: 30d}]") == [
        ("returns", "", 14),
        ("event", "upgraded", 30),
    ]
    assert goals("[{returns_within: 14d}]") == goals("{returns_within: 14d}")
    assert plan(LOOP).goals == ()


def test_a_query_is_ready_to_run_and_its_columns_are_known() -> None:
    (goal,) = plan(f'{LOOP}goal: {{query: "{PAID}", within: 36h}}\n').goals

    assert goal.within == timedelta(hours=36)
    assert goal.query is not None
    assert (goal.query.key, goal.query.columns) == ("user_id", ("user_id", "at", "value"))
    assert goal.query.tables == ("invoices",)


@pytest.mark.parametrize(
    "other",
    [
        "{event: upgraded, within: 8d}",
        "{event: Upgraded, within: 7d}",
        "{level: power, within: 7d}",
        FEATURE,
        f'{{query: "{PAID}", within: 7d}}',
    ],
)
def test_a_goal_that_says_something_else_is_another(other: str) -> None:
    assert key(other) != key("{event: upgraded, within: 7d}")


def test_the_same_goal_is_the_same_wherever_it_stands() -> None:
    assert key("[{returns_within: 7d}]") == key("{returnsWithin: 1w}")
    assert len(key(FEATURE)) <= 48


@pytest.mark.parametrize(
    ("goal", "place", "words"),
    [
        pytest.param("{}", ":12  goal", "exactly one of", id="none"),
        pytest.param("{event: a, feature: b}", ":12  goal", "exactly one of", id="two kinds"),
        pytest.param("{event: a}", ":12  goal", "The goal 'event' has no time limit. Add a time limit", id="no end"),
        pytest.param(
            "{returns_within: 1d, within: 2d}", ":12  goal.within", "returns_within already says", id="two times"
        ),
        pytest.param("{event: a, within: 1h}", ":12  goal.within", "1h is too short a time. Write 1d", id="an hour"),
        pytest.param(
            "{returns_within: 1h}", ":12  goal.returns_within", "1h is too short a time", id="back in an hour"
        ),
        pytest.param("{feature: exprot, within: 7d}", ":12  goal.feature", "Did you mean 'export'?", id="unknown"),
        pytest.param(
            "\n  - {returns_within: 14d}\n  - {event: a}", ":14  goal.1", "has no time limit", id="the second of a list"
        ),
        pytest.param(
            "\n  - {returns_within: 14d}\n  - {returns_within: 2w}", ":14  goal.1", "Goal 1 is the same", id="twice"
        ),
    ],
)
def test_an_impossible_goal_is_refused_with_its_line(goal: str, place: str, words: str) -> None:
    (fault,) = faults(f"{LOOP}goal: {goal}\n")

    first, _, rest = fault.partition("\n")
    assert first == f"loops/x.yaml{place}"
    assert words in " ".join(rest.split())


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ("{level: dormant, within: 7d}", "'dormant' is not a level. Use one of: active, power, resurrected."),
        ("[]", "'goal' is empty"),
        ("{evnet: a, within: 7d}", "Did you mean 'event'?"),
        ("14d", "takes a list, not '14d'"),
    ],
)
def test_a_goal_that_cannot_be_read_is_refused_with_its_line(goal: str, words: str) -> None:
    (fault,) = faults(f"{LOOP}goal: {goal}\n")

    first, _, rest = fault.partition("\n")
    assert first.startswith("loops/x.yaml:12  goal")
    assert words in " ".join(rest.split())


@pytest.mark.parametrize(
    ("goal", "place", "words"),
    [
        ("{returns_within: 1h}", ":3  goal.returns_within", "1h is too short a time"),
        ("{feature: exprot, within: 7d}", ":3  goal.feature", "is not a feature of skene.yaml"),
        ('{query: "SELECT id FROM users", within: 7d}', ":3  goal.query", "does not return when it happened"),
        ("{event: a, feature: b}", ":3  goal", "exactly one of"),
    ],
)
def test_an_impossible_goal_of_all_loops_is_refused_with_its_line_in_skene_yaml(
    goal: str, place: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "skene.yaml").write_text(f"# Ours\nholdout: 2%\ngoal: {goal}\n", "utf-8")
    with pytest.raises(SettingsError) as refused:
        plan_all_loops(load(tmp_path, {}), read_settings(tmp_path))

    first, _, rest = str(refused.value).partition("\n")
    assert first == f"skene.yaml{place}"
    assert words in " ".join(rest.split())


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        pytest.param("SELECT id FROM users", "does not return when it happened", id="no moment"),
        pytest.param("SELECT paid_at AS at FROM invoices", "no column that names the user", id="no user"),
        pytest.param("SELECT * FROM invoices", "returns *, so nobody knows", id="a star"),
        pytest.param("SELECT user_id, at, plan FROM invoices", "Nobody reads the column 'plan'", id="one too many"),
        pytest.param("SELECT user_id, at FROM invoices WHERE id = $1", "$1 is the row", id="a row"),
        pytest.param(
            "SELECT user_id, at FROM invoices WHERE at > NOW() - INTERVAL 7 DAY", "Leave the clock out", id="a clock"
        ),
        pytest.param("SELECT user_id, CURDATE() AS at FROM invoices", "Leave the clock out", id="a clock as moment"),
    ],
)
def test_a_query_that_cannot_be_asked_of_the_past_is_refused_with_its_line(sql: str, words: str) -> None:
    (fault,) = faults(f"{LOOP}goal:\n  within: 7d\n  query: {sql}\n")

    first, _, rest = fault.partition("\n")
    assert first == "loops/x.yaml:14  goal.query"
    assert words in " ".join(rest.split())
