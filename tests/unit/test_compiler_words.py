"""What Dagster is told of a loop and a run: retries, moments, numbers and sentences, each by itself."""

import hashlib
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from template_world import email, plan_of

from skene_dagster.behaviour.rollup.roll_up import RolledUp
from skene_dagster.compiler import checks, descriptions, metadata, window
from skene_dagster.compiler.broken import broken_definitions
from skene_dagster.compiler.catalog.catalog import Catalog
from skene_dagster.compiler.jobs import rollup
from skene_dagster.compiler.jobs.reconcile import _told as told_of_a_reconciliation
from skene_dagster.compiler.jobs.retention import _events as events_kept
from skene_dagster.compiler.jobs.retention import _told as told_of_a_deletion
from skene_dagster.compiler.names import keys_of, op_name, segment_key, sends_key, table_key
from skene_dagster.compiler.retry_policy import RETRIES, retry_policy, working
from skene_dagster.compiler.starting import sensors
from skene_dagster.compiler.starting.sensors import Cursor
from skene_dagster.delivery.blocking.entitlements import Entitled
from skene_dagster.delivery.ledger import ReceiptCounts
from skene_dagster.delivery.modes import Mode
from skene_dagster.delivery.reconcile import Reconciled
from skene_dagster.delivery.retention import Retained
from skene_dagster.delivery.send.deliver import Delivered
from skene_dagster.errors import DocumentErrors, LoopError, SkeneError, StoreError, StoreUnavailable
from skene_dagster.loops.plan import AtLevel, Block, Condition, InState, Reached, UsedUp
from skene_dagster.loops.times.retry_delays import RecoveryPlan
from skene_dagster.loops.triggers import After, Manual
from skene_dagster.project import Broken
from skene_dagster.segments.refresh import Refreshed
from skene_dagster.settings import Settings, load
from skene_dagster.store.server.capabilities import Capabilities

NOON = datetime(2026, 3, 2, 12)
A_DAY = timedelta(days=1)
PLAN, STEP = plan_of(email())


@pytest.mark.parametrize(
    ("recovery", "policy"),
    [
        pytest.param(RecoveryPlan(0, "exponential", A_DAY), None, id="none"),
        pytest.param(RecoveryPlan(1, "none", timedelta(seconds=7)), (1, 7.0, None), id="one, without backoff"),
        pytest.param(RecoveryPlan(3, "linear", timedelta(minutes=1)), (3, 60.0, dg.Backoff.LINEAR), id="linear"),
        pytest.param(RecoveryPlan(2, "exponential", A_DAY), (2, 86_400.0, dg.Backoff.EXPONENTIAL), id="exponential"),
    ],
)
def test_a_loop_is_retried_as_it_says(
    recovery: RecoveryPlan, policy: tuple[int, float, dg.Backoff | None] | None
) -> None:
    found = retry_policy(recovery)

    assert policy == (None if found is None else (found.max_retries, found.delay, found.backoff))
    assert found is None or found.calculate_delay(1) == found.delay, "the first new try comes when the loop says"


def test_what_belongs_to_no_loop_is_retried_for_about_a_minute() -> None:
    """After 10, 20 and 40 seconds: a database that is restarted is back by then."""
    assert (RETRIES.max_retries, RETRIES.delay, RETRIES.backoff) == (3, 10.0, dg.Backoff.EXPONENTIAL)


@pytest.mark.parametrize(("error", "is_retried"), [(StoreUnavailable("away"), True), (StoreError("refused"), False)])
def test_only_what_may_pass_is_retried(error: SkeneError, is_retried: bool) -> None:
    with pytest.raises(dg.Failure) as failed, working("run"):
        raise error

    assert failed.value.allow_retries is is_retried


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param("Duplicate entry 'ada@example.com'.", "Duplicate entry '(an address)'.", id="in quotes"),
        pytest.param("<ada@example.com>, bob@example.com", "<(an address)>, (an address)", id="two"),
        pytest.param("name=a@b at 12:00", "name=(an address) at 12:00", id="a short one"),
        pytest.param("@ alone", "@ alone", id="none"),
    ],
)
def test_no_failure_repeats_an_address(said: str, told: str) -> None:
    with pytest.raises(dg.Failure) as failed, working("run"):
        raise StoreError(said)

    assert failed.value.description == told


@pytest.mark.parametrize(
    ("tag", "moment"),
    [
        ("2026-03-02T12:00:00+00:00", NOON),
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02T14:00:00+02:00", NOON),
        ("1970-01-01T00:00:00+00:00", datetime(1970, 1, 1)),
        ("9998-12-31T23:59:59+00:00", datetime(9998, 12, 31, 23, 59, 59)),
    ],
)
def test_the_moment_of_a_run_is_that_of_its_tag(tag: str, moment: datetime) -> None:
    assert window._moment(tag) == moment


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("2026-03-02T12:00:00", id="without a zone"),
        pytest.param("noon", id="none"),
        pytest.param("1969-12-31T23:59:59+00:00", id="before all time"),
        pytest.param("1970-01-01T00:00:00+01:00", id="before all time, in UTC"),
        pytest.param("9999-01-01T00:00:00+00:00", id="the year of «not yet»"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before what can be written"),
    ],
)
def test_a_tag_that_is_no_moment_is_refused(tag: str) -> None:
    with pytest.raises(SkeneError, match="which is not a time with a time zone"):
        window._moment(tag)


def test_a_tag_is_written_in_utc() -> None:
    assert window.tag_of(NOON.replace(tzinfo=timezone(timedelta(hours=2)))) == "2026-03-02T10:00:00+00:00"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def settings_of(root: Path, said: str = "", **variables: str) -> Settings:
    (root / "skene.yaml").write_text(said, encoding="utf-8")
    return load(root, variables)


FIVE_MINUTES = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("environment", "ahead", "is_refused"),
    [
        pytest.param("production", FIVE_MINUTES, False, id="as far as clocks differ"),
        pytest.param("production", FIVE_MINUTES + timedelta(seconds=1), True, id="further"),
        pytest.param("development", A_DAY, False, id="simulated"),
    ],
)
def test_in_production_no_run_is_for_a_moment_to_come(
    tmp_path: Path, environment: str, ahead: timedelta, is_refused: bool
) -> None:
    settings = settings_of(tmp_path, SKENE_ENV=environment, SKENE_DATABASE_URL="mysql://root@127.0.0.1:4000/app")

    if is_refused:
        with pytest.raises(SkeneError, match="still to come"):
            window.refuse_the_future(NOON + ahead, NOON, settings)
    else:
        window.refuse_the_future(NOON + ahead, NOON, settings)


CONDITIONS: list[tuple[Condition, tuple[dg.AssetKey, ...]]] = [
    (STEP.condition, (rollup.LEVELS,)),
    (InState("exports", "tried", None), (rollup.ADOPTION,)),
    (Reached("first_order"), (rollup.MILESTONES,)),
    (UsedUp((), A_DAY, None), (rollup.ACTIVITY,)),
]


@pytest.mark.parametrize(("condition", "keys"), CONDITIONS, ids=lambda given: type(given).__name__)
def test_a_condition_is_read_from_what_it_asks_about(condition: Condition, keys: tuple[dg.AssetKey, ...]) -> None:
    step = replace(STEP, condition=condition)

    assert rollup.keys_read(step) == keys
    assert rollup.keys_needed([step]) == list(rollup.KEYS)


def test_a_step_that_mails_who_was_active_last_is_read_from_that() -> None:
    step = replace(STEP, recipient="most_recently_active")

    assert rollup.keys_read(step) == (rollup.ACTIVITY,)


@pytest.mark.parametrize(
    ("said", "is_used"),
    [
        pytest.param("", False, id="nothing"),
        pytest.param("retention: {events: 90d}", True, id="how long events are kept"),
        pytest.param("features: {exports: {title: Exports, events: [Exported]}}", True, id="a feature"),
        pytest.param("milestones: {first: {title: First, event: Ordered, count: 1}}", True, id="a milestone"),
        pytest.param("events: {table: clicks}", True, id="the product's own events"),
    ],
)
def test_what_users_do_is_rolled_up_where_anything_is_said_of_it(tmp_path: Path, said: str, is_used: bool) -> None:
    assert rollup.is_used([], settings_of(tmp_path, said)) is is_used


def test_what_users_do_is_rolled_up_where_a_loop_asks(settings: Settings) -> None:
    assert isinstance(STEP.condition, AtLevel)
    assert rollup.is_used([PLAN], settings)


def rolled_up(**changed: object) -> RolledUp:
    plain = {"as_of": NOON, "everybody": False, "users": 1200, "days": 3, "seconds": 1.0}
    return RolledUp(**{**plain, **changed})  # type: ignore[arg-type]  # the fields of RolledUp


@pytest.mark.parametrize(
    ("done", "said"),
    [
        pytest.param(rolled_up(), "1,200 users had new events; 3 days were counted again.", id="usual"),
        pytest.param(
            rolled_up(users=0, days=0),
            "0 users had new events; 0 days were counted again.",
            id="nothing",
        ),
        pytest.param(
            rolled_up(users=1, days=1, too_late=2),
            "1 users had new events; 1 days were counted again. 2 days with late events stay as they were counted.",
            id="late events",
        ),
        pytest.param(rolled_up(everybody=True), "All users were rolled up.", id="everybody"),
        pytest.param(
            rolled_up(everybody=True, since=date(2026, 1, 5)),
            "All users were rolled up. Days before 2026-01-05 stay as they were counted: their events are deleted.",
            id="everybody, since a day",
        ),
        pytest.param(rolled_up(already=True), "It was already rolled up for this moment.", id="a second time"),
        pytest.param(
            rolled_up(newer=NOON, already=True),
            "Nothing was written: it is already rolled up as of 2026-03-02 12:00:00 UTC.",
            id="for an older moment",
        ),
    ],
)
def test_a_rollup_is_told_in_a_line(done: RolledUp, said: str) -> None:
    assert rollup._told(done) == said


def test_other_works_are_told_in_a_line() -> None:
    assert told_of_a_reconciliation(Reconciled(1200, 2, 3, 0, "")) == (
        "1,200 batches worked on; 2 still without an answer, 3 in doubt."
    )
    assert told_of_a_reconciliation(Reconciled(1, 0, 0, 0, "a quota")).endswith("0 in doubt. Stopped because: a quota.")
    assert told_of_a_deletion(Retained({"a": 1200, "b": 0}, None, "")) == "Rows deleted: 1,200 of a, 0 of b."
    assert told_of_a_deletion(Retained({"a": 1}, None, "a loop")).endswith("1 of a. Events wait for a loop.")
    assert events_kept(Retained({}, None, "")) == {}
    assert events_kept(Retained({}, date(2026, 3, 2), "a loop")) == {
        "events_kept_since": "2026-03-02",
        "events_wait_for": "a loop",
    }
    assert [checks._told(n) for n in (0, 1200)] == ["Nothing is in doubt.", "1,200 emails are in doubt."]


def test_a_check_says_what_to_do_and_what_came_back() -> None:
    well = checks._metadata(PLAN, checks._Found(0, ReceiptCounts(accepted=8, delivered=6, complained=1, by_machines=2)))

    assert "what_to_do" not in well
    assert {name: value.value for name, value in well.items() if value.value} == {
        "week_accepted": 8,
        "week_delivered": 6,
        "week_complained": 1,
        "week_by_machines": 2,
        "week_delivered_rate": 0.75,
        "week_complained_rate": 0.125,
    }
    doubtful = checks._metadata(PLAN, checks._Found(1, ReceiptCounts()))
    assert doubtful["what_to_do"].value == "skene-dagster doubts retention"
    assert set(doubtful) - {"what_to_do"} == set(well)


OUTBOX, LIVE = Mode("outbox", "a test"), Mode("live", "a test")


def shown(found: metadata.Metadata) -> dict[str, object]:
    return {name: value.value for name, value in found.items() if not isinstance(value, dg.TableMetadataValue)}


def test_a_delivery_reports_each_state_and_what_waits(settings: Settings) -> None:
    counts = {"accepted": 2, "deferred:repeat": 3, "deferred:no_address": 1}

    found = metadata.sends(Delivered({"accepted": 9, "skipped:once": 1}, 2, 4, "a quota"), counts, OUTBOX, settings)
    outside = metadata.sends(Delivered({}, 0, 0, ""), {}, LIVE, settings)

    assert shown(found) == {
        "accepted": 2,
        "reserved": 0,
        "deferred": 4,
        "held_out": 0,
        "skipped": 0,
        "refused": 0,
        "in_doubt": 0,
        "batches_waiting": 4,
        "mode": "outbox: a test",
        "stopped_because": "a quota",
        "outbox": str(settings.outbox / "index.html"),
    }
    outcomes = found["outcomes"]
    assert isinstance(outcomes, dg.TableMetadataValue)
    assert [record.data for record in outcomes.records] == [
        {"outcome": "accepted", "this_tick": 2, "ever": 9},
        {"outcome": "skipped:once", "this_tick": 0, "ever": 1},
    ]
    assert {"stopped_because", "outbox"}.isdisjoint(outside)


def test_a_refresh_reports_its_numbers_and_no_user() -> None:
    refreshed = Refreshed("a.main", NOON, 5, 3, 2, unknown_keys=1, already=False, sql=" SELECT 1 ", seconds=1.23456)

    found = shown(metadata.segment(refreshed, [], Capabilities("TiDB", (8, 5), frozenset({"b", "a"}))))

    assert (found["dagster/row_count"], found["entered"], found["exited"], found["unknown_keys"]) == (5, 3, 2, 1)
    assert (found["seconds"], found["as_of"]) == (1.235, "2026-03-02 12:00:00 UTC")
    assert (found["sql"], found["database"]) == ("```sql\nSELECT 1\n```", "TiDB 8.5: a, b")
    assert found["refreshed_before"] is False


def test_entitlements_report_who_is_blocked() -> None:
    found = shown(metadata.entitled(Entitled(3, 2, paused=True), 7, LIVE))

    assert found == {
        "dagster/row_count": 7,
        "blocked": 3,
        "lifted": 2,
        "paused": True,
        "mode": "live: a test",
    }


def test_a_number_is_shown_as_a_key_and_a_text_or_bytes_by_their_digest() -> None:
    digest = hashlib.sha256(b"ada@example.com").hexdigest()[:12]

    assert metadata.masked(7) == "7"
    assert metadata.masked("ada@example.com") == metadata.masked(b"ada@example.com") == f"sha256:{digest}"


def test_code_is_broken_at_60_columns_and_keeps_its_indentation() -> None:
    lines = metadata.wrapped("SELECT 1\n    " + "word " * 30).splitlines()

    assert lines[0] == "SELECT 1"
    assert all(line.startswith("    word") for line in lines[1:])
    # Twelve words of four letters and a space would take 59 columns and the indentation four: eleven fit.
    assert len(lines[1].split()) == 11


def test_assets_and_ops_are_named_by_loop_and_step() -> None:
    blocking = replace(STEP, action=Block("You are blocked.", None))

    assert keys_of(PLAN, STEP) == [segment_key(PLAN, STEP), sends_key(PLAN, STEP)]
    assert [key.path[-1] for key in keys_of(PLAN, blocking)] == ["segment", "entitlements"]
    assert table_key("shop.orders").path == ["tidb", "shop", "orders"]
    assert op_name(PLAN, STEP, "reserve") == "retention__main__reserve"


def test_only_what_no_clock_and_no_person_starts_needs_a_sensor() -> None:
    following = replace(STEP, name="second", trigger=After("main", A_DAY))

    assert not sensors.is_woken(PLAN, STEP)
    assert not sensors.is_woken(PLAN, replace(STEP, trigger=Manual()))
    assert not sensors.is_woken(replace(PLAN, steps=(STEP, following)), following)


def test_how_far_a_sensor_has_looked_is_read_as_it_was_written() -> None:
    cursor = Cursor(NOON, NOON + A_DAY)

    assert Cursor.read(cursor.written()) == cursor
    assert Cursor.read(None) is None
    assert Cursor.read("") is None


def a_broken(file: str, loop: str | None) -> Broken:
    return Broken.of(file, loop, DocumentErrors([LoopError(f"{file} is wrong.")]))


def test_each_broken_file_has_an_asset_and_its_loop_a_job_unless_another_is_well() -> None:
    broken = [
        a_broken("loops/a b.yaml", None),
        a_broken("loops/a-b.ts", "freemium"),
        a_broken("loops/a_b.py", "freemium"),
        a_broken("loops/c.yaml", "retention"),
        a_broken("loops/d.yaml", "no loop's name"),
    ]

    found = broken_definitions(broken, {"retention"}, Catalog())

    assert sorted(spec.key.path[-1] for spec in found.resolve_all_asset_specs()) == ["a_b", "a_b_2", "a_b_3", "c", "d"]
    jobs = {job.name: sorted(key.path[-1] for key in job.asset_layer.selected_asset_keys)
            for job in found.resolve_all_job_defs() if not job.name.startswith("__")}  # fmt: skip
    assert jobs == {"a_b": ["a_b"], "freemium": ["a_b_2", "a_b_3"]}


def test_a_loop_is_shown_as_a_table_that_no_condition_breaks() -> None:
    step = replace(STEP, condition=InState("a|b`c", "untried", None))

    head, rule, row = descriptions.as_table(replace(PLAN, steps=(step,))).splitlines()

    assert (head, rule) == ("| step | when | who | what |", "|---|---|---|---|")
    assert "| `feature a\\|bc untried` |" in row
    assert row.count("|") - row.count("\\|") == 5
