"""What comes back, as Dagster and `status` show it: the sensor reads what is posted, a job asks for the rest."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from commands import skene
from resend_events import SECRET, event, posted
from resend_server import ResendServer, resend_server
from small_project import RETENTION, write_project, write_users

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs import wake
from skene_dagster.compiler.jobs.feedback import NAME
from skene_dagster.compiler.jobs.wake import ASK_EVERY, Cursor
from skene_dagster.delivery.providers import registry
from skene_dagster.feedback.intake import Posted, open_intake
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine

SENDS = dg.AssetKey(["skene", "retention", "main", "sends"])
CHECK = dg.AssetCheckKey(SENDS, "nothing_in_doubt")


@pytest.fixture
def resend(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResendServer]:
    """Resend, in production: what is sent to it is sent to people."""
    with resend_server() as server:
        monkeypatch.setenv("RESEND_API_URL", server.url)
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        monkeypatch.setenv("SKENE_ENV", "production")
        yield server


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def run(root: Path, instance: dg.DagsterInstance, job: str) -> dict[str, Any]:
    """Run a job that succeeds; return the metadata of its last output."""
    result = compile_folder(root).resolve_job_def(job).execute_in_process(instance=instance)
    outputs = [one for one in result.all_events if one.event_type_value == "STEP_OUTPUT"]
    return {name: value.value for name, value in outputs[-1].step_output_data.metadata.items()}


def tick(root: Path, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    repository = compile_folder(root).get_repository_def()
    engine = open_engine(load(root).database_url)
    try:
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, resources={"skene_database": engine}, cursor=cursor
        )
        return repository.get_sensor_def(wake.NAME).evaluate_tick(context)
    finally:
        engine.dispose()


def ask(root: Path, query: str) -> list[Any]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        return connection.execute(query).fetchall()


def say(resend: ResendServer, *last_events: str) -> None:
    """Let Resend's list say this of the emails, in their order."""
    for email, last_event in zip(resend.emails, last_events, strict=True):
        email["last_event"] = last_event


def post(root: Path, *events: dict[str, Any]) -> None:
    """Take events in as the web service does."""
    intake = open_intake(load(root))
    reader = registry.receivers(load(root))["resend"]
    for number, told in enumerate(events):
        intake.store([Posted("resend", reader.read(*posted(told, f"msg_{number}")))])
    intake.close()


def checked(instance: dg.DagsterInstance) -> dict[str, Any]:
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([CHECK])[CHECK]
    evaluation = record.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_a_provider_without_a_webhook_is_asked(root: Path, instance: dg.DagsterInstance, resend: ResendServer) -> None:
    run(root, instance, "retention")
    say(resend, "delivered", "complained", "sent")

    first = run(root, instance, NAME)
    again = run(root, instance, NAME)

    assert (first["new"], first["events"], first["suppressed"]) == (4, 4, 1)
    assert (again["new"], again["events"], again["suppressed"]) == (0, 0, 0)
    assert ask(root, "SELECT user_id, delivered_at IS NOT NULL, complained_at IS NOT NULL FROM skene_receipts") == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 0, 0),
    ]
    assert ask(root, "SELECT address, reason FROM skene_suppressions") == [("user-2@example.com", "complaint")]
    # Asking takes slots of the same pace as sending.
    assert ask(root, "SELECT count(*) FROM skene_pacing") == [(1,)]
    assert {name: checked(instance)[name] for name in ("week_accepted", "week_delivered", "week_complained")} == {
        "week_accepted": 3,
        "week_delivered": 2,
        "week_complained": 1,
    }


def test_it_reads_on_behind_pages_of_others_emails(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer
) -> None:
    run(root, instance, "retention")
    say(resend, "delivered", "delivered", "bounced")
    resend.emails += [
        {"id": f"theirs-{n}", "to": ["someone@example.com"], "created_at": "", "last_event": "complained"}
        for n in range(250)
    ]

    asked = run(root, instance, NAME)

    assert asked["new"] == 3
    assert ask(root, "SELECT user_id, bounce FROM skene_receipts WHERE bounce IS NOT NULL") == [(3, "soft")]
    assert ask(root, "SELECT * FROM skene_suppressions") == []


def test_it_is_asked_about_emails_of_the_last_days(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer
) -> None:
    run(root, instance, "retention")
    say(resend, "delivered", "delivered", "delivered")
    # A page of older ones of others' ends it.
    resend.emails[:0] = [
        {"id": f"old-{n}", "to": ["someone@example.com"], "created_at": "2020-01-01 00:00:00+00", "last_event": "sent"}
        for n in range(1_000)
    ]
    asked_before = len(resend.requests)

    assert run(root, instance, NAME)["new"] == 3
    assert len(resend.requests) - asked_before == 1


def test_a_key_that_may_only_send_hears_nothing_and_says_so(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer
) -> None:
    run(root, instance, "retention")
    resend.may_read = False

    assert "restricted_api_key" in run(root, instance, NAME)["denied"]


def test_the_sensor_starts_the_job_every_quarter_of_an_hour_where_no_webhook_is_set(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root, instance, "retention")

    first = tick(root, instance)
    then = tick(root, instance, first.cursor)
    asked_at = Cursor.read(first.cursor).asked
    long_ago = Cursor(asked=(datetime.fromisoformat(asked_at) - ASK_EVERY).isoformat()).written()
    later = tick(root, instance, long_ago)
    ahead = tick(root, instance, Cursor(asked="2999-01-01T00:00:00").written())
    monkeypatch.setenv("RESEND_WEBHOOK_SECRET", SECRET)
    with_webhook = tick(root, instance)

    assert [len(one.run_requests or []) for one in (first, then, later, ahead, with_webhook)] == [1, 0, 1, 1, 0]
    assert not resend.reads


def test_the_sensor_reads_what_was_posted_and_has_a_run_say_so(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEND_WEBHOOK_SECRET", SECRET)
    run(root, instance, "retention")
    ids = [email["id"] for email in resend.emails]
    (accepted_at,) = ask(root, "SELECT min(accepted_at) FROM skene_receipts")[0]
    at = datetime.fromisoformat(accepted_at) + timedelta(seconds=1)
    post(
        root,
        event("email.delivered", at, email_id=ids[0]),
        event("email.opened", at + timedelta(seconds=2), email_id=ids[0]),
        event("email.bounced", at, to="user-2@example.com", email_id=ids[1]),
        event("email.of_tomorrow", at),
    )

    waiting = skene(root, "status")
    seen = tick(root, instance)
    again = tick(root, instance, seen.cursor)

    assert [request.job_name for request in seen.run_requests] == [NAME], "a run reports the checks, once an hour"
    assert (again.run_requests, again.skip_message) == ([], "Nothing is to be done.")
    assert ask(root, "SELECT reason FROM skene_suppressions") == [("bounce",)]
    run(root, instance, NAME)
    assert {name: value for name, value in checked(instance).items() if value} == {
        "week_accepted": 3,
        "week_delivered": 1,
        "week_bounced": 1,
        "week_by_machines": 1,
        "week_delivered_rate": 0.333333,
        "week_bounced_rate": 0.333333,
    }
    assert "4 events to be read" in " ".join(waiting.output.split())
    said = " ".join(skene(root, "status").output.split())
    assert "Feedback last heard" in said
    assert "not understood: email.of_tomorrow (1)" in said
    assert "3 emails accepted: 33.33% delivered (1), 33.33% bounced (1)" in said
    told = json.loads(skene(root, "status", "--json").output)
    assert told["feedback"]["unknown"] == {"email.of_tomorrow": 1}
    assert told["steps"][0]["receipts"]["bounced"] == 1


def test_a_sensor_on_a_database_of_another_environment_reads_nothing(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root, instance, "retention")
    monkeypatch.setenv("SKENE_ENV", "test")

    assert "The database belongs to production" in str(tick(root, instance).skip_message)
    assert len(resend.emails) == 3


def test_the_sensor_erases_what_had_to_wait_of_somebody_who_was_erased(
    root: Path, instance: dg.DagsterInstance, resend: ResendServer
) -> None:
    run(root, instance, "retention")
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        # As `users erase` leaves it while a batch has no answer.
        connection.execute("UPDATE skene_sends SET user_id = 999 WHERE user_id = 1")
        connection.execute(
            "INSERT INTO skene_erasures (erasure_id, user_id, recipients, waits_for, erased_at) "
            "SELECT 'x', 999, 'u:1', batch_id, '2026-11-30 00:00:00.000000' FROM skene_batches"
        )
    old_id = ask(root, "SELECT send_id FROM skene_sends WHERE user_id = 999")

    tick(root, instance)

    assert ask(root, "SELECT count(*) FROM skene_erasures WHERE waits_for IS NOT NULL") == [(0,)]
    assert ask(root, "SELECT send_id FROM skene_sends WHERE user_id = 999") != old_id
    assert ask(root, "SELECT count(*) FROM skene_receipts") == [(2,)]
    assert len(resend.emails) == 3
