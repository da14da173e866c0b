"""What skene.yaml says of usage, resolved: what counts as a use, what is computed anew, and what is impossible."""

from pathlib import Path

import pytest

from skene_dagster.errors import DocumentErrors, SettingsError
from skene_dagster.loops.planning.usage import UsagePlan, plan_usage
from skene_dagster.settings import load
from skene_dagster.yaml_document import parse_yaml

SAID = """\
features:
  exports: {title: Exports, events: [Exported, Downloaded, Exported]}
  api: {title: API, sql: "name LIKE 'api%'"}
milestones:
  tenth: {title: Ten, feature: exports, count: 10}
  first: {title: First, event: Started}
  week: {title: Week, streak: 7}
  api: {title: API, feature: api}
"""


def plan(root: Path, said: str) -> UsagePlan:
    (root / "skene.yaml").write_text(said, encoding="utf-8")
    return plan_usage(load(root, {}), parse_yaml(said, "skene.yaml", SettingsError))


def test_what_counts_as_a_use_is_an_event_by_its_name_or_a_feature_that_is_sql(tmp_path: Path) -> None:
    planned = plan(tmp_path, SAID)

    assert [(feature.name, feature.counted_as) for feature in planned.features] == [
        ("api", ("feature:api",)),
        ("exports", ("Downloaded", "Exported")),
    ]
    assert [(milestone.name, milestone.counted_as) for milestone in planned.milestones] == [
        ("api", ("feature:api",)),
        ("first", ("Started",)),
        ("tenth", ("Downloaded", "Exported")),
        ("week", ()),
    ]
    assert [feature.name for feature in planned.sql_features] == ["api"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        pytest.param("'api%'", "'API%'", {"events", "feature:api", "milestone:api"}, id="the SQL of a feature"),
        pytest.param("Downloaded", "Saved", {"feature:exports", "milestone:tenth"}, id="the events of a feature"),
        pytest.param("title: API,", "title: API, adoptedUses: 5,", {"feature:api"}, id="when it is adopted"),
        pytest.param("count: 10", "count: 11", {"milestone:tenth"}, id="a count"),
        pytest.param("streak: 7", "streak: 8", {"milestone:week"}, id="a streak"),
        pytest.param("event: Started", "event: Begun", {"milestone:first"}, id="an event"),
        pytest.param("features:", "levels: {power: 9}\nfeatures:", {"levels"}, id="a level"),
        pytest.param("features:", "events: {table: clicks}\nfeatures:", {"events"}, id="the table of events"),
        pytest.param("title: Exports", "title: Export", set(), id="a title, of which nothing is computed"),
    ],
)
def test_what_changes_is_computed_anew_and_nothing_else(tmp_path: Path, old: str, new: str, changed: set[str]) -> None:
    before, after = plan(tmp_path, SAID).digests, plan(tmp_path, SAID.replace(old, new, 1)).digests

    features, milestones = ("feature:api", "feature:exports"), ("api", "first", "tenth", "week")
    assert set(before) == {"events", "levels", *features, *(f"milestone:{name}" for name in milestones)}
    assert {name for name in before if before[name] != after[name]} == changed


API = 'api: {title: API, sql: "name = 1"}'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(
            f"features:\n  {API}\n  other: {{title: Other, events: ['feature:api']}}",
            "skene.yaml:3  features.other.events\n"
            "  'feature:api' is the name under which the uses of a feature that is SQL are counted. "
            "Name the feature, or give it another name than the event has.",
            id="an event that is called like a feature that is SQL",
        ),
        pytest.param(
            f"features:\n  {API}\nmilestones:\n  first: {{title: First, event: 'feature:api'}}",
            "skene.yaml:4  milestones.first.event\n"
            "  'feature:api' is the name under which the uses of a feature that is SQL are counted. "
            "Name the feature, or give it another name than the event has.",
            id="a milestone's event that is called so",
        ),
        pytest.param(
            f"features:\n  {API}\nmilestones:\n  first: {{title: First, feature: apis}}",
            "skene.yaml:4  milestones.first.feature\n  'apis' is not a feature. Use one of: api. Did you mean 'api'?",
            id="a milestone of no feature",
        ),
        pytest.param(
            "milestones:\n  first: {title: First, feature: api}",
            "skene.yaml:2  milestones.first.feature\n"
            "  'api' is not a feature. Describe it in skene.yaml, below `features:`.",
            id="a milestone of a feature, and there is none",
        ),
        pytest.param(
            "milestones:\n  year: {title: Year, anniversary: 365d}",
            "skene.yaml:2  milestones.year.anniversary\n"
            "  An anniversary is counted from `users.created_at`, which is not set. "
            "Set users.created_at in skene.yaml to the column that says since when somebody is a user.",
            id="an anniversary of nothing",
        ),
        pytest.param(
            "features:\n  api:\n    title: API\n    sql: |\n      name = 1\n      AND SLEEP(1)",
            "skene.yaml:6  features.api.sql\n  SLEEP() cannot be used. It waits.",
            id="SQL that cannot be used, at its line",
        ),
        pytest.param(
            "events: {table: clicks}\ntidb_usage: {db_users: {a: ada@example.com}}",
            "skene.yaml:2  tidb_usage\n"
            "  What is found of TiDB's use goes into skene_events, but 'events' has another table read. "
            "Leave one of the two out.",
            id="TiDB's use beside the product's events",
        ),
        pytest.param(
            "tidb_usage: {db_users: {a: ada@example.com}}\nfeatures:\n  x: {title: X, events: ['tidb:jsn']}",
            "skene.yaml:3  features.x.events\n"
            "  'jsn' is not a feature of TiDB that is recognized. Did you mean 'json'?",
            id="a feature that TiDB does not have",
        ),
        pytest.param(
            "tidb_usage: {db_users: {a: ada@example.com}}\nmilestones:\n  x: {title: X, event: 'tidb:jsn'}",
            "skene.yaml:3  milestones.x.event\n"
            "  'jsn' is not a feature of TiDB that is recognized. Did you mean 'json'?",
            id="a milestone of one that TiDB does not have",
        ),
    ],
)
def test_what_is_impossible_is_told_with_its_line(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        plan(tmp_path, said)

    assert str(refused.value) == told


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            "features: {a: {title: A, events: [x]}, b: {title: B, events: ['feature:a']}}",
            id="an event that is called like a feature that is none of SQL",
        ),
        pytest.param(f"features:\n  {API}\n  b: {{title: B, events: ['feature:b']}}", id="and like no feature"),
        pytest.param("features: {a: {title: A, events: ['tidb:jsn']}}", id="a feature of TiDB that nobody looks for"),
        pytest.param(
            "tidb_usage: {db_users: {a: ada@example.com}}\n"
            "features: {a: {title: A, events: ['tidb:json', Exported]}}\n"
            "milestones: {b: {title: B, event: 'tidb:cte'}}",
            id="features that TiDB has, and an event of the product",
        ),
        pytest.param(
            "users: {created_at: joined}\nmilestones: {year: {title: Year, anniversary: 365d}}", id="an anniversary"
        ),
    ],
)
def test_what_is_possible_is_planned(tmp_path: Path, said: str) -> None:
    assert plan(tmp_path, said).milestones or plan(tmp_path, said).features


def test_all_that_is_impossible_is_told_at_once(tmp_path: Path) -> None:
    said = f"features:\n  {API}\n  b: {{title: B, sql: 'SLEEP(1)'}}\nmilestones:\n  c: {{title: C, feature: apis}}"

    with pytest.raises(DocumentErrors) as refused:
        plan(tmp_path, said)

    assert [error.place.line for error in refused.value.errors if error.place] == [3, 5]


def test_without_the_lines_of_a_file_its_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "skene.yaml").write_text("milestones: {a: {title: A, feature: api}}", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"^skene\.yaml  milestones\.a\.feature\n"):
        plan_usage(load(tmp_path, {}))
