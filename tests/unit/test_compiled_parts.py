"""What a compiled loop says of itself, reads and reports, piece by piece."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._utils import interrupts
from segment_world import loop
from template_world import email, plan_of

from skene_dagster.compiler import assets, descriptions, metadata, window
from skene_dagster.compiler.broken import broken_asset
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.jobs import rollup, tidb_usage
from skene_dagster.compiler.names import TIDB_USAGE, code_version, sends_key, table_key
from skene_dagster.compiler.ops import LOG_EVERY, _telling
from skene_dagster.compiler.retry_policy import working
from skene_dagster.delivery.blocking.entitlements import Entitled
from skene_dagster.errors import DocumentErrors, LoopError
from skene_dagster.loops.plan import Block, LoopPlan, StepPlan
from skene_dagster.loops.triggers import After, Calls, Manual, Rows, Schedule, Trigger
from skene_dagster.product.mapped_moments import Unreadable
from skene_dagster.settings import MomentColumn, Settings, load
from skene_dagster.tracking.collector import Collected
from skene_dagster.tracking.tidb_statements import Offered

NOON = datetime(2026, 3, 2, 12)
A_DAY = timedelta(days=1)
PLAN, STEP = plan_of(email())
ROWS = Rows("shop.orders", "id", "user_id", MomentColumn(column="at"), changes=False, name=None)


@pytest.mark.parametrize(
    ("trigger", "when"),
    [
        pytest.param(Schedule("0 9 * * *", "UTC"), "Every `0 9 * * *` (UTC).", id="a schedule"),
        pytest.param(Calls("/export/*", "POST"), "When the product is called: `POST /export/*`.", id="calls"),
        pytest.param(Manual(), "When a person starts it.", id="a person"),
        pytest.param(ROWS, "For each new row of `shop.orders`.", id="new rows"),
        pytest.param(replace(ROWS, changes=True), "For each changed row of `shop.orders`.", id="changed rows"),
        pytest.param(replace(ROWS, name=("kind", "paid")), "For each event `paid` in `shop.orders`.", id="an event"),
        pytest.param(After("first", 5 * A_DAY), "5d after the email of `first`.", id="another email"),
    ],
)
def test_a_step_says_when_it_runs(trigger: Trigger, when: str) -> None:
    step = replace(STEP, trigger=trigger)

    assert descriptions.sensor(PLAN, step) == f"Starts main of retention. {when}"
    assert (
        descriptions.schedule(PLAN, [step, replace(STEP, name="second")]) == f"Runs main, second of retention. {when}"
    )
    assert descriptions.segment(PLAN, step).endswith(when)


def test_a_segment_of_rows_is_kept_elsewhere_than_one_of_users() -> None:
    assert "`skene_triggered`, one row for each" in descriptions.segment(PLAN, replace(STEP, trigger=ROWS))
    assert "`skene_segment_members`, with those who left" in descriptions.segment(PLAN, STEP)


@pytest.mark.parametrize(
    ("opinion", "said"),
    [
        pytest.param("", "The retention loop.", id="nothing"),
        pytest.param("Come back.", "Come back.", id="an opinion"),
    ],
)
def test_a_loop_says_why_it_exists(opinion: str, said: str) -> None:
    assert descriptions.loop(replace(PLAN, opinion=opinion)) == said


@pytest.mark.parametrize(
    ("repeat", "trigger", "said"),
    [
        pytest.param("once", STEP.trigger, "only once, ever", id="once"),
        pytest.param("every_entry", STEP.trigger, "once each time they enter", id="each entry"),
        pytest.param("every_entry", ROWS, "once for each row", id="each row"),
        pytest.param(7 * A_DAY, STEP.trigger, "once each time they enter, at most every 7d", id="a pause"),
        pytest.param(7 * A_DAY, ROWS, "once for each row, at most every 7d", id="a pause between rows"),
    ],
)
def test_emails_say_how_often_they_come(repeat: Any, trigger: Trigger, said: str) -> None:
    plan, step = plan_of(email(repeat=repeat))

    assert f"to the members of the segment, {said}. The first op" in descriptions.sends(
        plan, replace(step, trigger=trigger)
    )


def test_entitlements_are_told_in_a_line_and_with_what_the_blocked_read() -> None:
    blocking = replace(STEP, action=Block("Upgrade, please.", None))

    assert descriptions.entitlements(PLAN, blocking).endswith("They see: Upgrade, please.")
    assert descriptions.entitled(Entitled(3, 2, paused=False), 1200) == "1,200 are blocked; 3 more, 2 lifted."
    assert descriptions.entitled(Entitled(0, 0, paused=True), 7) == "7 are blocked; paused."
    assert descriptions.counted("Reserved", {"mail": 1200, "skipped": 2}) == "Reserved: 1,200 mail, 2 skipped."


def values(found: Mapping[str, dg.MetadataValue]) -> dict[str, object]:
    return {name: value.value for name, value in found.items()}


def test_assets_say_of_which_file_and_text_they_are() -> None:
    plan = loop()

    assert values(metadata.of_sends(PLAN, STEP)) == {"file": PLAN.document.file, "template": "hello"}
    assert set(metadata.of_sends(PLAN, replace(STEP, action=Block("x", None)))) == {"file"}
    assert set(metadata.of_segment(PLAN, STEP)) == {"file"}
    assert values(metadata.of_segment(plan, plan.steps[0])) == {
        "file": "loops/retention.yaml",
        "condition": "```sql\nSELECT id FROM users WHERE dormant = 1\n```",
    }


def test_values_that_count_as_null_are_counted_together_and_named_one_by_one() -> None:
    found = [Unreadable("users", "at", 3), Unreadable("users", "seen_at", 4)]

    told = values(metadata.unreadable(found))

    assert told["unreadable_moments"] == 7
    assert str(told["unreadable"]).splitlines() == [f"- {one}" for one in found]
    assert values(metadata.unreadable([])) == {"unreadable_moments": 0}


def test_a_table_has_its_texts_before_its_numbers() -> None:
    shown = metadata.table(["feature"], ["users"], [{"feature": "export", "users": 3}])

    assert isinstance(shown, dg.TableMetadataValue)
    assert [(column.name, column.type) for column in shown.schema.columns] == [("feature", "string"), ("users", "int")]
    assert [record.data for record in shown.records] == [{"feature": "export", "users": 3}]


def settings_of(root: Path, said: str = "", **variables: str) -> Settings:
    (root / "skene.yaml").write_text(said, encoding="utf-8")
    return load(root, variables)


def plan_with(*steps: StepPlan) -> LoopPlan:
    return replace(PLAN, steps=steps)


QUERY = loop(tables=("users", "app.answers")).steps[0]


@pytest.mark.parametrize(
    ("step", "upstream"),
    [
        pytest.param(QUERY, [table_key("app.answers"), table_key("users")], id="SQL"),
        pytest.param(STEP, [rollup.LEVELS], id="what users do"),
        pytest.param(replace(STEP, trigger=ROWS), [table_key("shop.orders"), rollup.LEVELS], id="rows"),
        pytest.param(
            replace(QUERY, name="second", trigger=After("main", A_DAY)),
            [table_key("app.answers"), table_key("users"), sends_key(PLAN, STEP)],
            id="another email",
        ),
    ],
)
def test_a_segment_is_read_from_tables_from_what_users_do_and_from_emails(
    step: StepPlan, upstream: list[dg.AssetKey]
) -> None:
    assert assets._upstream(plan_with(replace(STEP, name="other"), STEP, step), step) == upstream


OF_TIDB = "tidb_usage: {db_users: {app: ada@example.com}}"


@pytest.mark.parametrize(
    ("said", "steps", "tables"),
    [
        pytest.param("", [QUERY], ["app.answers", "users"], id="conditions"),
        pytest.param(
            "", [replace(QUERY, trigger=ROWS)], ["app.answers", "shop.orders", "users"], id="rows that trigger"
        ),
        pytest.param("", [STEP], ["skene_events"], id="what users do"),
        pytest.param("events: {table: clicks}", [QUERY], ["app.answers", "clicks", "users"], id="the product's events"),
    ],
)
def test_the_tables_that_are_read_are_shown_once_each(
    tmp_path: Path, said: str, steps: list[StepPlan], tables: list[str]
) -> None:
    found = assets.source_tables([plan_with(*steps), plan_with(*steps)], settings_of(tmp_path, said))

    assert [spec.key for spec in found] == [table_key(table) for table in tables]
    assert all(not spec.deps for spec in found)


def test_our_own_events_follow_from_the_usage_of_tidb(tmp_path: Path) -> None:
    found = assets.source_tables([plan_with(QUERY)], settings_of(tmp_path, OF_TIDB))

    deps = {spec.key: [dep.asset_key for dep in spec.deps] for spec in found}
    assert deps == {table_key("app.answers"): [], table_key("skene_events"): [TIDB_USAGE], table_key("users"): []}


def test_tables_are_shown_as_of_their_database(tmp_path: Path) -> None:
    url = "mysql://root@127.0.0.1:4000/app"

    assert assets.kinds(settings_of(tmp_path)) == {"sqlite", "sql"}
    assert assets.kinds(settings_of(tmp_path, SKENE_DATABASE_URL=url)) == {"tidb", "sql"}


def test_a_steps_version_changes_with_what_it_says() -> None:
    versions = {code_version(STEP), code_version(STEP), code_version(replace(STEP, timeout=A_DAY))}

    assert len(versions) == 2
    assert {len(version) for version in versions} == {12}


STARTED, CREATED = NOON, NOON - timedelta(hours=1)


class Records:
    """An instance that knows some runs."""

    def __init__(self, **started: datetime | None) -> None:
        self._started = started

    def get_run_record_by_id(self, run_id: str) -> Any:
        if run_id not in self._started:
            return None
        at = self._started[run_id]
        seconds = None if at is None else at.replace(tzinfo=timezone.utc).timestamp()
        return SimpleNamespace(start_time=seconds, create_timestamp=CREATED.replace(tzinfo=timezone.utc))


@pytest.mark.parametrize(
    ("root", "tags", "records", "moment"),
    [
        pytest.param(None, {window.AS_OF: "2026-03-01T09:00:00Z"}, {}, datetime(2026, 3, 1, 9), id="of its tag"),
        pytest.param(None, {}, {"run": STARTED}, STARTED, id="when it started"),
        pytest.param(None, {}, {"run": None}, CREATED, id="never started"),
        pytest.param(
            "root", {}, {"root": STARTED - A_DAY, "run": STARTED}, STARTED - A_DAY, id="when the first started"
        ),
        pytest.param("root", {}, {"root": None, "run": STARTED}, CREATED, id="the first never started"),
        pytest.param("root", {}, {"run": STARTED}, STARTED, id="the first is deleted"),
    ],
)
def test_a_run_is_for_the_moment_of_the_first_of_its_kind(
    root: str | None, tags: dict[str, str], records: dict[str, datetime | None], moment: datetime
) -> None:
    run: Any = SimpleNamespace(tags=tags, root_run_id=root, run_id="run")
    instance: Any = Records(**records)

    assert window.as_of(run, instance) == moment


@pytest.mark.parametrize("ended_by", [dg.DagsterExecutionInterruptedError, KeyboardInterrupt])
def test_a_run_that_is_told_to_end_is_not_tried_again(
    ended_by: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(interrupts._received_interrupt, "received", False)

    with pytest.raises(dg.RetryRequested), working("run"):
        raise ended_by

    assert interrupts._received_interrupt["received"]


def test_a_broken_file_fails_its_asset_with_its_error_and_once() -> None:
    error = DocumentErrors([LoopError("loops/a.yaml is wrong.")])

    with pytest.raises(dg.Failure, match=r"loops/a\.yaml is wrong") as failed:
        broken_asset("a", error, Catalog())()

    assert not failed.value.allow_retries


def test_a_line_of_the_log_stands_for_five_thousand() -> None:
    lines: list[tuple[object, ...]] = []
    context: Any = SimpleNamespace(log=SimpleNamespace(info=lambda *said: lines.append(said)))
    tell = _telling(context, "members decided")

    for more in (LOG_EVERY - 1, 1, LOG_EVERY - 1, 2 * LOG_EVERY):
        tell(more)

    assert LOG_EVERY == 5_000
    assert [said[1:] for said in lines] == [("5,000", "members decided"), ("19,999", "members decided")]


def collected(**changed: Any) -> Collected:
    offer = Offered(of_cluster=True, by_user=True, everybody=True, evicted=0)
    return replace(Collected(offer, 5, {}, 7, (), 0), **changed)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(collected(), [], id="all is told"),
        pytest.param(
            collected(offer=Offered(of_cluster=True, by_user=True, everybody=False, evicted=0)),
            ["only its own statements: GRANT PROCESS"],
            id="only its own statements",
        ),
        pytest.param(
            collected(offer=Offered(of_cluster=True, by_user=True, everybody=True, evicted=1200)),
            ["forgot 1,200 kinds of statements"],
            id="some are forgotten",
        ),
        pytest.param(
            collected(unknown=2),
            ["2 of the addresses under tidb_usage in skene.yaml belong to no user, or to several"],
            id="addresses that are nobody's",
        ),
    ],
)
def test_what_the_server_does_not_tell_is_warned_of(found: Collected, words: list[str]) -> None:
    told = tidb_usage._warnings(found)

    assert len(told) == len(words)
    assert all(part in said for part, said in zip(words, told, strict=True))


def test_a_collection_reports_its_features_and_what_was_offered() -> None:
    told = tidb_usage._metadata(collected(people={"ttl": 3}, unmapped=("root", "app")))

    features = told["features"]
    assert isinstance(features, dg.TableMetadataValue)
    assert [record.data["users"] for record in features.records] == [3]
    assert told["unmapped_db_users"].value == "root, app"


def test_a_line_of_code_is_as_long_as_its_column_and_says_all_that_it_said() -> None:
    fits, breaks = f"{'a' * 30} {'b' * 29}", f"{'a' * 30} {'b' * 30}"
    indented = "    " + "word " * 30

    assert metadata.wrapped(fits) == fits
    assert metadata.wrapped(breaks).splitlines() == breaks.split()
    assert metadata.wrapped(indented).split() == indented.split()
