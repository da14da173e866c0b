"""The provider's own list of suppressions: read each night, shortened by a lift, extended by who accepts the cost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pytest
from commands import skene
from listed_people import execute, rows, said, write_listed_project
from resend_server import ResendServer, Scripted, refusal, resend_server

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.jobs.provider_lists import NAME

ADA = "ada@example.com"
THERE = datetime(2026, 3, 2, 9)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_listed_project(tmp_path / "project")


@pytest.fixture
def resend(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResendServer]:
    """Resend, to which this environment's emails go."""
    with resend_server() as server:
        server.per_second = 1000
        monkeypatch.setenv("RESEND_API_URL", server.url)
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        monkeypatch.setenv("SKENE_ENV", "production")
        yield server


def there(resend: ResendServer) -> list[str]:
    return [one["email"] for one in resend.suppressed.entries]


def bounced(root: Path, *addresses: str, reason: str = "bounce") -> None:
    said(root, "add", *addresses, "--scope", "all")
    execute(root, f"UPDATE skene_suppressions SET reason = '{reason}'")


def lift(root: Path, *arguments: str, exit_code: int = 0) -> str:
    return said(root, "lift", *arguments, "--reason", "a new mailbox", exit_code=exit_code)


def test_a_lift_takes_the_address_off_both_lists(root: Path, resend: ResendServer) -> None:
    bounced(root, ADA)
    resend.suppressed.put(ADA, "bounce", THERE)

    told = lift(root, ADA)

    assert "lifted ada@example.com: all, since" in told
    assert "lifted ada@example.com: the list of Resend, since 02 Mar 2026 (bounce)." in told
    assert (rows(root), there(resend)) == ([], [])


def test_an_address_that_only_the_provider_has_is_lifted_there(root: Path, resend: ResendServer) -> None:
    resend.suppressed.put(ADA, "manual", THERE)

    told = lift(root, ADA)

    assert "lifted ada@example.com: the list of Resend" in told
    assert "nothing to lift" not in told
    assert there(resend) == []


def test_what_neither_has_need_not_be_lifted(root: Path, resend: ResendServer) -> None:
    assert "ok ada@example.com: nothing to lift." in lift(root, ADA)
    assert [request.method for request in resend.requests] == ["GET"]


def test_a_user_is_lifted_there_by_their_address_which_stays_masked(root: Path, resend: ResendServer) -> None:
    resend.suppressed.put("user-1@example.com", "bounce", THERE)

    told = lift(root, "--user", "1")

    assert "lifted u…@example.com: the list of Resend" in told
    assert there(resend) == []


@pytest.mark.parametrize("answer", [refusal(401, "restricted_api_key"), refusal(500, "oh"), Scripted(200, b"{}")])
def test_a_provider_that_cannot_be_asked_is_told_and_another_lift_finishes_it(
    root: Path, resend: ResendServer, answer: Scripted
) -> None:
    bounced(root, ADA)
    resend.suppressed.put(ADA, "bounce", THERE)
    resend.reads.append(answer)

    told = lift(root, ADA, exit_code=4)
    kept = there(resend)
    again = lift(root, ADA)

    assert "lifted ada@example.com: all" in told
    assert "The list of Resend could not be changed: " in told
    assert kept == [ADA]
    assert "lifted ada@example.com: the list of Resend" in again
    assert there(resend) == []


def test_whoever_complained_there_stays_there_unless_somebody_insists(root: Path, resend: ResendServer) -> None:
    resend.suppressed.put(ADA, "complaint", THERE)

    told = lift(root, ADA, exit_code=4)
    kept = there(resend)
    lift(root, ADA, "--yes")

    assert "ada@example.com: the list of Resend, since 02 Mar 2026 (complaint), stays. --yes lifts" in told
    assert (kept, there(resend)) == ([ADA], [])


def test_whoever_complained_here_stays_there_too(root: Path, resend: ResendServer) -> None:
    bounced(root, ADA, reason="complaint")
    resend.suppressed.put(ADA, "bounce", THERE)

    lift(root, ADA, exit_code=4)

    assert there(resend) == [ADA]


def test_a_lift_of_marketing_alone_leaves_the_provider_alone(root: Path, resend: ResendServer) -> None:
    said(root, "add", ADA)
    resend.suppressed.put(ADA, "bounce", THERE)

    lift(root, ADA, "--scope", "marketing")

    assert (there(resend), resend.requests) == ([ADA], [])


def test_a_rehearsal_leaves_the_list_of_the_provider_alone(
    root: Path, resend: ResendServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKENE_ENV", "development")
    bounced(root, ADA)
    resend.suppressed.put(ADA, "bounce", THERE)

    told = lift(root, ADA, exit_code=4)

    assert "is not changed: emails do not go to people here (SKENE_ENV is development)." in told
    assert resend.requests == []


def test_a_provider_without_a_list_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKENE_ENV", "production")
    monkeypatch.setenv("SKENE_SMTP_URL", "smtp://127.0.0.1:1025")
    bounced(root, ADA)

    assert "is not changed: smtp has none that can be read." in lift(root, ADA, exit_code=4)


def test_a_lift_without_any_key_still_lifts_here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKENE_ENV", "production")
    bounced(root, ADA)

    assert "SKENE_ENV is production, but RESEND_API_KEY is not set" in lift(root, ADA, exit_code=4)
    assert rows(root) == []


def test_a_lift_that_dies_between_the_two_lists_is_finished_by_another(root: Path, resend: ResendServer) -> None:
    bounced(root, ADA)
    resend.suppressed.put(ADA, "bounce", THERE)
    resend.script.append(Scripted("usual", late=60))
    command = [sys.executable, "-c", "from skene_dagster.cli import main; main()", "--project", str(root)]
    with subprocess.Popen([*command, "suppressions", "lift", ADA, "--reason", "a new mailbox"]) as process:
        while "DELETE" not in [request.method for request in resend.requests]:
            assert process.poll() is None
            os.sched_yield()
        os.kill(process.pid, signal.SIGKILL)
    resend.hurry.set()

    in_between = (rows(root), there(resend))
    told = lift(root, ADA)

    # Nothing is sent that the provider would drop, or that we would.
    assert in_between == ([(ADA, "all", "bounce")], [])
    assert "lifted ada@example.com: all" in told
    assert rows(root) == []


def push(root: Path, *options: str, exit_code: int = 0) -> str:
    return said(root, "export", "--to", "resend", *options, exit_code=exit_code)


def test_the_list_is_put_on_that_of_the_provider_once_the_cost_is_said(root: Path, resend: ResendServer) -> None:
    bounced(root, ADA, "bob@example.com", "gone@example.com")
    said(root, "add", "eve@example.com")
    execute(root, "UPDATE skene_suppressions SET address = NULL WHERE address LIKE 'gone@%'")

    told = push(root, "--yes")

    assert "holds for the whole team of the key. Nothing reaches an address on it any more" in told
    assert "password resets" in told
    assert "Addresses 2, which nothing could reach then" in told
    assert "Calls 1, in about 1 second" in told
    assert "1 more has no address any more, only its hash, and cannot be put there." in told
    assert "ok 2 addresses are on the list of Resend." in told
    assert sorted(there(resend)) == [ADA, "bob@example.com"]


def test_without_somebody_to_agree_nothing_is_put_on_it(root: Path, resend: ResendServer) -> None:
    bounced(root, ADA)

    told = push(root, exit_code=2)

    assert "Addresses 1, which nothing could reach then" in told
    assert "There is no terminal to ask for confirmation; use --yes." in told
    assert there(resend) == []


def test_an_empty_list_is_put_nowhere(root: Path, resend: ResendServer) -> None:
    assert "There is nothing to put on it." in push(root)
    assert resend.requests == []


def test_a_rehearsal_puts_nothing_on_it(root: Path, resend: ResendServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKENE_ENV", "development")
    bounced(root, ADA)

    assert "The list of resend is not changed: emails do not go" in push(root, "--yes", exit_code=3)
    assert resend.requests == []


def test_a_push_by_a_key_that_may_only_send_says_what_to_do(root: Path, resend: ResendServer) -> None:
    resend.may_read = False
    bounced(root, ADA)

    assert "may not change its list" in push(root, "--yes", exit_code=3)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param([], "Name a file, or a provider with --to.", id="neither"),
        pytest.param(["list.csv", "--to", "resend"], "Name a file, or a provider with --to.", id="both"),
        pytest.param(["--to", "smtp"], "'smtp' is not 'resend'", id="no list"),
        pytest.param(["--to", "resend", "--scope", "marketing"], "cannot go there", id="marketing"),
    ],
)
def test_a_call_that_contradicts_itself_is_refused(root: Path, arguments: list[str], why: str) -> None:
    assert why in said(root, "export", *arguments, exit_code=2)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as opened:
        yield opened


def run(root: Path, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = compile_folder(root).resolve_job_def(NAME)
    return job.execute_in_process(instance=instance, raise_on_error=False)


def warnings(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str]:
    return [one.user_message for one in instance.all_logs(result.run_id) if one.level == 30]


def test_each_night_the_list_of_the_provider_is_read(
    root: Path, resend: ResendServer, instance: dg.DagsterInstance
) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    resend.suppressed.put(ADA, "complaint", now)

    result = run(root, instance)

    assert result.success
    assert rows(root, "address, scope, reason, source") == [(ADA, "all", "complaint", "Resend")]
    schedule = compile_folder(root).get_repository_def().get_schedule_def(NAME)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("10 3 * * *", "UTC")


def test_a_key_that_may_only_send_is_said_once_and_is_no_error(
    root: Path, resend: ResendServer, instance: dg.DagsterInstance
) -> None:
    resend.may_read = False

    nights = [run(root, instance) for _ in range(2)]

    assert all(night.success for night in nights)
    first, second = (warnings(instance, night) for night in nights)
    assert [("the key may not read it" in one) for one in first] == [True]
    assert second == []


@pytest.mark.usefixtures("resend")
def test_where_no_email_goes_to_people_no_list_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKENE_ENV", "development")
    assert not compile_folder(root).get_repository_def().has_job(NAME)

    monkeypatch.setenv("SKENE_ENV", "production")
    assert compile_folder(root).get_repository_def().has_job(NAME)
    monkeypatch.setenv("RESEND_API_KEY", "no key")
    assert not compile_folder(root).get_repository_def().has_job(NAME)


def test_what_commands_say_of_the_provider_fits_a_terminal(root: Path, resend: ResendServer) -> None:
    bounced(root, ADA)
    resend.reads.append(refusal(500, "internal_server_error", "x " * 400))

    lines = skene(root, "suppressions", "lift", ADA, "--reason", "x").output.splitlines()

    assert max(map(len, lines)) <= 80
