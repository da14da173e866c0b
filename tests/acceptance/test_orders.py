"""What a person orders on the command line is obeyed by every run: stop, go on, never mind, yes; and how are you?"""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from resend_server import resend_server
from small_project import RETENTION, write_project, write_users

from skene_dagster.cli import main
from skene_dagster.compiler import compile_folder

CONFIGURED = ("SKENE_DATABASE_URL", "SKENE_ENV", "SKENE_REDIRECT_TO", "RESEND_API_KEY", "RESEND_API_URL", "COLUMNS")


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def skene(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), *arguments])


def run(root: Path) -> bool:
    return bool(compile_folder(root).resolve_job_def("retention").execute_in_process(raise_on_error=False).success)


def emails(root: Path) -> int:
    return len(list((root / ".skene" / "outbox").glob("*.eml")))


def outcomes(root: Path) -> list[tuple[str, str | None]]:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        return connection.execute("SELECT DISTINCT state, reason FROM skene_sends ORDER BY 1, 2").fetchall()


@pytest.mark.parametrize("name", [["retention"], ["--all"]], ids=["by name", "all"])
def test_a_paused_loop_sends_nothing_and_goes_on_where_it_stood(root: Path, name: list[str]) -> None:
    run_first = write_project(root, {"retention.yaml": RETENTION})
    write_active(root)
    assert run(run_first)
    assert skene(root, "pause", *name).exit_code == 0
    write_dormant(root)

    assert run(root)

    assert emails(root) == 0
    assert outcomes(root) == [("deferred", "paused")]
    assert skene(root, "resume", *name).exit_code == 0
    assert run(root)
    assert emails(root) == 3


def write_active(root: Path) -> None:
    _seen(root, "2999-01-01 00:00:00")


def write_dormant(root: Path) -> None:
    _seen(root, "2020-01-01 00:00:00")


def _seen(root: Path, moment: str) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE users SET last_activity_at = ? WHERE id <= 3", [moment])


def test_the_time_of_the_first_pause_stands(root: Path) -> None:
    run(root)
    times = set()
    for _ in range(2):
        skene(root, "pause", "retention")
        with sqlite3.connect(root / ".skene" / "skene.db") as connection:
            times.add(connection.execute("SELECT paused_at FROM skene_controls").fetchone())

    assert len(times) == 1


def test_the_end_of_the_pause_of_all_leaves_what_is_paused_by_name(root: Path) -> None:
    run(root)
    skene(root, "pause", "retention")
    skene(root, "pause", "--all")

    said = skene(root, "resume", "--all").output

    assert "Still paused by name: retention." in said
    assert skene(root, "status").exit_code == 4


def test_resuming_one_loop_while_all_are_paused_says_so(root: Path) -> None:
    run(root)
    skene(root, "pause", "--all")

    said = skene(root, "resume", "retention").output

    assert "All loops are paused, this one with them: skene-dagster resume --all" in said


def test_a_cancellation_holds_for_what_is_reserved_and_not_for_later_ticks(root: Path) -> None:
    write_active(root)
    run(root)
    skene(root, "pause", "retention")
    write_dormant(root)
    run(root)

    said = skene(root, "cancel", "retention", "--yes")
    skene(root, "resume", "retention")
    assert run(root)

    assert said.output.startswith("ok      0 emails of retention will not be sent.")
    assert emails(root) == 3


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "approve", "doubts"])
def test_a_loop_that_nobody_knows_is_answered_with_those_that_there_are(root: Path, command: str) -> None:
    run(root)

    result = skene(root, command, "retentoin")

    assert result.exit_code == 2
    assert "There is no loop 'retentoin'." in result.output
    assert "retention" in result.output


@pytest.mark.parametrize("command", ["pause retention", "resume --all", "status", "doubts", "adopt"])
def test_without_the_tables_there_is_one_sentence(root: Path, command: str) -> None:
    result = skene(root, *command.split())

    assert result.exit_code == 3
    assert "The skene_* tables are not in the database" in " ".join(result.output.split())


def test_status_tells_how_it_is_and_ends_with_4_when_a_person_should_look(root: Path) -> None:
    run(root)
    well = skene(root, "status")
    skene(root, "pause", "retention")

    paused = skene(root, "status")

    assert (well.exit_code, paused.exit_code) == (0, 4)
    assert "Nothing needs a person." in well.output
    assert "paused; skene-dagster resume retention" in " ".join(paused.output.split())
    assert all(len(line) <= 80 for line in paused.output.splitlines())


def test_status_for_programs_is_one_object(root: Path) -> None:
    run(root)

    found = json.loads(skene(root, "status", "--json").output)

    assert set(found) == {"steps", "problems", "channel"}
    assert found["problems"] == []
    assert {name: found["steps"][0][name] for name in ("loop", "step", "late", "paused", "waiting", "in_doubt")} == {
        "loop": "retention",
        "step": "main",
        "late": False,
        "paused": False,
        "waiting": 0,
        "in_doubt": 0,
    }


CLOSED = "INSERT INTO skene_pacing VALUES ('one', 2, '2999-01-01', '2999-01-01 00:00:00.000000', 'daily_quota')"
BATCH = "INSERT INTO skene_batches (batch_id, channel, loop, step, state, size, as_of, reserved_at, attempts{}) "
OPEN = BATCH.format("") + "VALUES ('b', 'outbox', 'retention', 'main', 'reserved', 7, '2020-01-01', '2020-01-01', 0)"
SINCE = BATCH.format(", unresolved_since") + (
    "VALUES ('b', 'outbox', 'retention', 'main', '{}', 7, '2020-01-01', '2020-01-01', 1, '2020-01-01 00:00:00.000000')"
)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param(SINCE.format("in_doubt"), "7 emails in doubt; skene-dagster doubts retention", id="in doubt"),
        pytest.param(
            SINCE.format("frozen"), "1 batch without answer; is the sensor skene__reconcile on?", id="silence"
        ),
        pytest.param(OPEN, "7 emails not sent for over an hour; look at the loop's last run", id="stuck"),
        pytest.param(CLOSED, "The provider takes nothing more until 01 Jan 2999, 00:00 UTC: daily_quota", id="quota"),
        pytest.param(
            "UPDATE skene_sends SET state = 'deferred', reason = 'first_wave'",
            "a first wave of 3 waits; skene-dagster approve retention",
            id="first wave",
        ),
    ],
)
def test_status_names_what_a_person_should_look_at(root: Path, statement: str, said: str) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_batches SET last_attempt_at = NULL")
        connection.execute(statement)

    result = skene(root, "status")

    assert result.exit_code == 4
    assert said in " ".join(result.output.split())


def test_status_names_a_broken_file(root: Path) -> None:
    run(root)
    write_project(root, {"other.yaml": "type: retention\nname: other\n"})

    result = skene(root, "status")

    assert result.exit_code == 4
    assert "loops/other.yaml is broken: skene-dagster validate" in result.output


def test_status_counts_who_is_on_the_way_and_who_is_asked_again(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(OPEN)
        connection.execute("UPDATE skene_sends SET state = 'deferred', reason = 'repeat' WHERE user_id = 1")

    said = skene(root, "status").output

    assert "On their way  7 emails" in said
    assert "1 mailed too short a time ago (repeat)" in said


def test_a_missed_tick_is_late(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_segments SET as_of = '2020-01-01', writing_as_of = '2020-01-01'")

    result = skene(root, "status")

    assert result.exit_code == 4
    assert "was missed; is Dagster's daemon running?" in " ".join(result.output.split())


def test_a_database_of_another_environment_stops_run_and_command_until_it_is_adopted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root)
    monkeypatch.setenv("SKENE_ENV", "test")

    assert not run(root)
    refused = skene(root, "status")
    adopted = skene(root, "adopt", "--yes")

    assert refused.exit_code == 3
    assert "skene-dagster adopt" in " ".join(refused.output.split())
    assert adopted.exit_code == 0
    assert run(root)


@pytest.fixture
def stuck(root: Path) -> Path:
    """A project with one batch of three emails in doubt."""
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(
            "UPDATE skene_batches SET state = 'in_doubt', payload = x'00', unresolved_since = '2026-01-01 00:00:00.000000'"  # noqa: E501
        )
        connection.execute("UPDATE skene_sends SET state = 'in_doubt', reason = 'no_answer', provider_id = NULL")
    return root


@pytest.mark.parametrize(
    ("verdict", "after"),
    [
        ("sent", [("accepted", None)]),
        ("resend", [("reserved", None)]),
        ("skip", [("skipped", "doubt")]),
    ],
)
def test_a_doubt_is_listed_and_settled_as_a_person_says(
    stuck: Path, verdict: str, after: list[tuple[str, str | None]]
) -> None:
    listed = skene(stuck, "doubts")
    settled = skene(stuck, "doubts", "retention", "--settle", verdict, "--yes")

    assert "retention, step main: 3 emails" in listed.output
    assert outcomes(stuck) == after
    assert settled.exit_code == 0
    assert "Nothing is in doubt." in skene(stuck, "doubts").output


def test_a_batch_that_is_not_in_doubt_is_an_error_and_settles_nothing(stuck: Path) -> None:
    result = skene(stuck, "doubts", "--batch", "0" * 32, "--settle", "skip", "--yes")

    assert result.exit_code == 2
    assert "is in doubt." in result.output
    assert outcomes(stuck) == [("in_doubt", "no_answer")]


def test_one_doubt_of_several_is_settled_by_its_batch(stuck: Path) -> None:
    with sqlite3.connect(stuck / ".skene" / "skene.db") as connection:
        connection.execute(SINCE.format("in_doubt"))

    skene(stuck, "doubts", "--batch", "b", "--settle", "skip", "--yes")

    assert "batch b" not in skene(stuck, "doubts").output
    assert outcomes(stuck) == [("in_doubt", "no_answer")]


@pytest.mark.parametrize(("channel", "state"), [("live", "accepted"), ("outbox", "settled")])
def test_set_is_left_to_the_next_run_for_what_a_person_says_was_really_sent(
    root: Path, monkeypatch: pytest.MonkeyPatch, channel: str, state: str
) -> None:
    with_set = RETENTION.replace("      personalization", "      set: {name: Reminded}\n      personalization")
    write_project(root, {"retention.yaml": with_set})
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(
            "UPDATE skene_batches SET state = 'in_doubt', channel = ?, unresolved_since = as_of", [channel]
        )
    if channel == "live":
        monkeypatch.setenv("SKENE_ENV", "production")
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        skene(root, "adopt", "--yes")

    skene(root, "doubts", "--settle", "sent", "--yes")

    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        assert connection.execute("SELECT state FROM skene_batches").fetchall() == [(state,)]


def test_a_cancelled_email_is_dropped_at_once(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_batches SET state = 'reserved'")
        connection.execute("UPDATE skene_sends SET state = 'reserved'")

    said = skene(root, "cancel", "retention", "--yes").output

    assert said.startswith("ok      3 emails of retention will not be sent.")
    assert outcomes(root) == [("skipped", "cancelled")]
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        assert connection.execute("SELECT cancelled_at IS NULL FROM skene_controls").fetchall() == [(0,)]


def test_one_step_is_approved_without_the_others(root: Path) -> None:
    second = (
        RETENTION.partition("steps:\n")[2]
        .partition("recovery")[0]
        .replace("  - trigger", "  - name: second\n    trigger")
    )
    first = RETENTION.replace("  - trigger", "  - name: first\n    trigger").replace("recovery", f"{second}recovery")
    write_project(root, {"retention.yaml": first})
    run(root)

    result = skene(root, "approve", "retention", "--step", "second")

    assert result.exit_code == 0, result.output
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        assert connection.execute("SELECT step FROM skene_controls").fetchall() == [("second",)]


def test_a_test_email_goes_through_resend_wherever_there_is_a_key_and_is_none_of_the_ledgers(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resend_server() as resend:
        monkeypatch.setenv("RESEND_API_URL", resend.url)
        monkeypatch.setenv("RESEND_API_KEY", "re_test")

        result = skene(root, "send-test", "retention", "--user", "2", "--to", "me@example.com")

    assert result.exit_code == 0, result.output
    ((tags, to),) = [({tag["name"] for tag in email["tags"]}, email["to"]) for email in resend.emails]
    assert to == ["me@example.com"]
    assert "test" in tags
    assert "send" not in tags


def test_a_test_email_goes_to_whom_is_said_is_marked_and_stands_in_no_ledger(root: Path) -> None:
    result = skene(root, "send-test", "retention", "--user", "2", "--to", "me@example.com")

    (file,) = (root / ".skene" / "outbox").glob("*.eml")
    email = file.read_text(encoding="utf-8")
    assert result.exit_code == 0
    assert "to unsubscribe there would unsubscribe that user" in " ".join(result.output.split())
    assert "To: me@example.com" in email
    assert "Subject: [Test] We miss you, Marker2 Surname" in email
    assert "List-Unsubscribe" not in email
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'skene_sends'").fetchone()
    assert tables == (0,)
