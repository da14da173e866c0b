"""What a person orders on the command line is obeyed by every run: stop, go on, never mind, yes."""

import json
import sqlite3
from pathlib import Path

import pytest
from commands import outcomes, run, skene
from resend_server import resend_server
from small_project import RETENTION, write_project, write_users


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def emails(root: Path) -> int:
    return len(list((root / ".skene" / "outbox").glob("*.eml")))


@pytest.mark.parametrize("name", [["retention"], ["--all"]], ids=["by name", "all"])
def test_a_paused_loop_sends_nothing_and_goes_on_where_it_stood(root: Path, name: list[str]) -> None:
    run_first = write_project(root, {"retention.yaml": RETENTION})
    write_active(root)
    assert run(run_first)
    assert skene(root, "pause", *name).exit_code == 0
    write_dormant(root)

    assert run(root)

    assert emails(root) == 0
    assert outcomes(root) == []
    assert "the loop is paused: 3" in skene(root, "status").output
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

    assert "All loops are paused, including this one: skene-dagster resume --all" in said


def test_the_report_names_the_command_that_ends_each_pause(root: Path) -> None:
    def said() -> list[str]:
        return [problem["words"] for problem in json.loads(skene(root, "status", "--json").output)["problems"]]

    run(root)
    skene(root, "pause", "--all")
    assert said() == ["all loops: paused; skene-dagster resume --all"]

    skene(root, "pause", "retention")
    assert said() == [
        "all loops: paused; skene-dagster resume --all",
        "retention: paused; skene-dagster resume retention",
    ]

    skene(root, "resume", "--all")
    assert said() == ["retention: paused; skene-dagster resume retention"]


def test_a_pause_is_one_thing_to_look_at_however_many_steps_it_holds(root: Path) -> None:
    condition = "{type: query, query: SELECT id FROM users}"
    action = '{type: email, template: re_engagement, personalization: {name: "{{user.name}}"}}'
    rest = f"condition: {condition}, action: {action}"
    second = f"  - {{name: second, trigger: {{type: after, step: main, wait: 1d}}, {rest}}}\n"
    loops = {
        "retention.yaml": RETENTION.replace("- trigger", "- name: main\n    trigger").replace(
            "recovery:", f"{second}recovery:"
        ),
        "other.yaml": f"name: other\n{RETENTION}",
    }
    run(root)
    write_project(root, loops)
    skene(root, "pause", "--all")

    found = json.loads(skene(root, "status", "--json").output)

    assert {(one["loop"], one["step"]) for one in found["steps"] if one["paused"]} == {
        ("other", "main"),
        ("retention", "main"),
        ("retention", "second"),
    }
    assert [(one["kind"], one["subject"]) for one in found["problems"]] == [("paused", "*")]


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


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "approve", "reconsider", "doubts"])
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


def test_the_unsubscribe_link_of_a_test_email_is_an_example(root: Path) -> None:
    settings = (root / "skene.yaml").read_text(encoding="utf-8")
    own = "unsubscribe_url: https://example.com/unsubscribe/{{user.id}}"
    assert own in settings
    (root / "skene.yaml").write_text(settings.replace(own, "public_url: https://mail.example.com"), encoding="utf-8")

    result = skene(root, "send-test", "retention", "--user", "2", "--to", "me@example.com")

    (file,) = (root / ".skene" / "outbox").glob("*.eml")
    assert "https://mail.example.com/u/example" in file.read_text(encoding="utf-8")
    assert "Its unsubscribe link is an example: it unsubscribes nobody." in " ".join(result.output.split())
    shown = " ".join(skene(root, "preview", "retention", "--user", "2").output.split())
    assert "The unsubscribe link is an example: each email that is sent gets one of its own." in shown


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


def test_a_loop_decides_again_about_whom_it_skipped_when_a_person_says_so(root: Path) -> None:
    write_active(root)
    run(root)
    write_dormant(root)
    run(root)
    skipped = "UPDATE skene_sends SET state = 'skipped', reason = 'cancelled' WHERE user_id <= 2"
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(skipped)
    before = emails(root)

    said = skene(root, "reconsider", "retention", "--yes")
    assert run(root)

    assert said.output == ("ok      retention, step main: its next tick decides again about 2 skipped users.\n")
    assert emails(root) == before + 2
