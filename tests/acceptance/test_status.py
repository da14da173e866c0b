"""How are you? What `skene-dagster status` says, and how it ends."""

import json
import sqlite3
from datetime import datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from commands import ATTEMPTED, RESERVED, run, skene
from servers import free_port
from small_project import RETENTION, write_project, write_users

from skene_dagster.consent.preferences import Said
from skene_dagster.consent.spool.choices import Choices
from skene_dagster.consent.spool.spool import Spool

CLOSED = "INSERT INTO skene_pacing VALUES ('one', 2, '2999-01-01', '2999-01-01 00:00:00.000000', 'daily_quota')"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


def test_status_tells_how_it_is_and_ends_with_4_when_a_person_should_look(root: Path) -> None:
    run(root)
    well = skene(root, "status")
    skene(root, "pause", "retention")

    paused = skene(root, "status")

    assert (well.exit_code, paused.exit_code) == (0, 4)
    assert "Nothing needs a person." in well.output
    assert "paused; skene-dagster resume retention" in " ".join(paused.output.split())
    assert all(len(line) <= 80 for line in paused.output.splitlines())


def test_what_recipients_said_and_nobody_has_written_down_is_told(root: Path) -> None:
    run(root)
    said = Said(datetime(2026, 3, 2), "one click in a mail program", None)
    Spool(root / ".skene" / "spool").add([Choices(("1:ada", "u:ada"), (("no", "marketing"),), said)] * 2)

    told = skene(root, "status")

    assert told.exit_code == 4
    assert "2 answers of recipients wait in .skene/spool since " in " ".join(told.output.split())
    assert all(len(line) <= 80 for line in told.output.splitlines())


def test_it_is_told_while_the_database_is_away_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(root)
    said = Said(datetime(2026, 3, 2), "one click in a mail program", None)
    Spool(root / ".skene" / "spool").add([Choices(("1:ada", "u:ada"), (("no", "marketing"),), said)])
    monkeypatch.setenv("SKENE_DATABASE_URL", f"mysql+pymysql://root@127.0.0.1:{free_port()}/skene")

    told = skene(root, "status")

    assert told.exit_code not in (0, 4)
    assert "1 answer of a recipient waits in .skene/spool since " in " ".join(told.output.split())


def erased(root: Path, *ago: timedelta, waits_for: str | None = "b1 b2") -> None:
    """People were erased so long ago."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        for n, one in enumerate(ago):
            row = (f"e{n}", 7, "1:ada u:ada", waits_for, (now - one).isoformat(" ", "microseconds"))
            connection.execute("INSERT INTO skene_erasures VALUES (?, ?, ?, ?, ?)", row)
    connection.close()


def test_who_is_not_erased_for_good_yet_is_said_why_and_until_when(root: Path) -> None:
    run(root)
    erased(root, timedelta(days=1), timedelta(days=3))

    told, found = skene(root, "status"), json.loads(skene(root, "status", "--json").output)

    ends = datetime.now(timezone.utc) + timedelta(days=6)
    said = " ".join(told.output.split())
    assert (
        "Erasing 2 people are not erased for good yet: emails that may have been sent keep their content until that is "
        f"known, at most until {ends:%d %b %Y}, " in said
    )
    assert "Nothing needs a person." in said
    assert told.exit_code == 0
    assert [one["batches"] for one in found["erasing"]] == [["b1", "b2"]] * 2
    assert all(len(line) <= 80 for line in told.output.splitlines())


def test_nobody_is_said_to_wait_who_is_erased_for_good(root: Path) -> None:
    run(root)
    erased(root, timedelta(days=1), waits_for=None)

    assert "Erasing" not in skene(root, "status").output


def test_what_an_erasure_had_to_leave_and_nobody_has_erased_since_is_for_a_person(root: Path) -> None:
    run(root)
    erased(root, timedelta(days=7, minutes=16))

    told = skene(root, "status")

    assert told.exit_code == 4
    assert "is not erased for good: an email that may have been sent to them has kept its content since" in " ".join(
        told.output.split()
    )
    assert "ada" not in told.output


def test_status_for_programs_is_one_object(root: Path) -> None:
    run(root)

    found = json.loads(skene(root, "status", "--json").output)

    of_all = {"steps", "problems", "not_told", "judgements", "budgets", "erasing", "mode", "feedback"}
    assert set(found) == of_all
    assert found["problems"] == []
    assert {name: found["steps"][0][name] for name in ("loop", "step", "late", "paused", "waiting", "in_doubt")} == {
        "loop": "retention",
        "step": "main",
        "late": False,
        "paused": False,
        "waiting": 0,
        "in_doubt": 0,
    }


REFUSED = "'422 validation_error: Invalid `to` field.'"
WAITS = (
    "UPDATE skene_batches SET state = 'frozen', mode = 'outbox', attempts = 2, "
    "unresolved_since = '2999-01-01 09:00:00.000000', due_at = '2999-01-01 09:20:00.000000', "
    f"refusal = {REFUSED}, error = {{}}"
)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param(ATTEMPTED.format("in_doubt"), "7 emails in doubt; skene-dagster doubts retention", id="in doubt"),
        pytest.param(
            ATTEMPTED.format("frozen"), "1 batch without answer; look at the runs of skene__reconcile", id="silence"
        ),
        pytest.param(
            WAITS.format(REFUSED),
            "3 emails in 1 batch wait since 01 Jan 2999, 09:00 UTC: 422 validation_error: Invalid `to` field. They go "
            "on at 01 Jan 2999, 09:20 UTC.",
            id="refused after an attempt without answer",
        ),
        pytest.param(
            WAITS.format("'401 restricted_api_key'"),
            "Invalid `to` field. The provider's records: 401 restricted_api_key. They go on at 01 Jan 2999, 09:20 UTC, "
            "and without the records when their key ends, at 02 Jan 2999, 08:00 UTC.",
            id="waiting for the end of a key",
        ),
        pytest.param(
            WAITS.format("NULL").replace(REFUSED, "NULL"),
            "3 emails in 1 batch wait since 01 Jan 2999, 09:00 UTC: no answer; the process that sent them has ended.",
            id="a run that was killed",
        ),
        pytest.param(RESERVED, "7 emails not sent for over an hour; look at the loop's last run", id="stuck"),
        pytest.param(CLOSED, "The provider accepts nothing more until 01 Jan 2999, 00:00 UTC: daily_quota", id="quota"),
        pytest.param(
            "UPDATE skene_steps SET hold = 'first_wave', reserved_as_of = NULL",
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
    assert "Nothing needs a person" not in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines())


def test_status_tells_programs_what_waits(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(WAITS.format(REFUSED))

    found = json.loads(skene(root, "status", "--json").output)

    assert found["steps"][0]["waits"] == [
        {
            "batches": 1,
            "emails": 3,
            "since": "2999-01-01 09:00:00",
            "said": "422 validation_error: Invalid `to` field.",
            "records": "",
            "due": "2999-01-01 09:20:00",
            "key_ends": "2999-01-02 08:00:00",
        }
    ]


def test_status_names_a_broken_file(root: Path) -> None:
    run(root)
    write_project(root, {"other.yaml": "type: retention\nname: other\n"})

    result = skene(root, "status")

    assert result.exit_code == 4
    assert "loops/other.yaml is broken; skene-dagster validate" in result.output


@pytest.mark.parametrize("state", ["frozen", "in_doubt"])
def test_status_names_what_a_loop_that_is_gone_has_left(root: Path, state: str) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(WAITS.format(REFUSED))
        connection.execute("UPDATE skene_batches SET loop = 'an_old_one', state = ?", [state])

    result = skene(root, "status")

    said = {
        "frozen": "3 emails in 1 batch wait since",
        "in_doubt": "3 emails in doubt; skene-dagster doubts an_old_one",
    }
    assert result.exit_code == 4
    assert f"an_old_one, step main: {said[state]}" in " ".join(result.output.split())


def test_status_counts_who_is_on_the_way_and_who_is_asked_again(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(RESERVED)
        connection.execute(
            "INSERT INTO skene_deferred SELECT mode, loop, step, user_id, 2, 'repeat', NULL, as_of, as_of, as_of, NULL "
            "FROM skene_sends WHERE user_id = 1"
        )

    said = skene(root, "status").output

    assert "On their way  7 emails" in said
    assert "mailed too recently (repeat): 1" in said


def test_status_says_when_emails_leave_that_wait_for_their_recipients_hours(root: Path) -> None:
    run(root)
    hours = "strftime('%Y-%m-%d %H:%M:%S.000000', 'now', '+2 hours')"
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute(RESERVED)
        connection.execute(f"UPDATE skene_batches SET due_at = {hours}, not_before = {hours} WHERE state = 'reserved'")
        ((leaves,),) = connection.execute("SELECT due_at FROM skene_batches WHERE state = 'reserved'")

    result = skene(root, "status")

    at = datetime.fromisoformat(leaves)
    assert f"On their way  7 emails, the first at {at:%d %b %Y, %H:%M} UTC" in result.output
    assert result.exit_code == 0


def test_a_missed_tick_is_late(root: Path) -> None:
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_segments SET as_of = '2020-01-01', writing_as_of = '2020-01-01'")

    result = skene(root, "status")

    assert result.exit_code == 4
    assert "was missed; is Dagster's daemon running?" in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_tables_that_are_newer_than_the_code_ask_for_newer_code(root: Path, command: str) -> None:
    run(root)
    set_release(root, "9000")

    result = skene(root, command)

    output = " ".join(result.output.split())
    assert "The skene_* tables are of release 9000, which is newer than this installation." in output
    assert "Upgrade it: pip install --upgrade skene-dagster" in output
    assert "migrate" not in output
    assert result.exit_code == 3


def test_tables_that_are_older_than_the_code_are_said_to_be_that(root: Path) -> None:
    run(root)
    set_release(root, "0001")

    result = skene(root, "status")

    assert "or belong to an older release. On SQLite the next run makes or upgrades them" in " ".join(
        result.output.split()
    )
    assert result.exit_code == 3


def set_release(root: Path, release: str) -> None:
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_schema_version SET version_num = ?", [release])


def test_the_tick_that_is_due_is_the_one_that_dagster_starts(root: Path) -> None:
    loop = RETENTION.replace("0 9 * * *", "0 9 */2 * 1").replace("Europe/Berlin", "UTC")
    (root / "loops" / "retention.yaml").write_text(loop)
    run(root)

    (step,) = json.loads(skene(root, "status", "--json").output)["steps"]

    # A day and a weekday: Dagster takes either, other cron programs only where both meet.
    latest = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(minutes=15)
    days = (datetime.combine(latest.date(), time(9)) - timedelta(days=n) for n in range(4))
    assert datetime.fromisoformat(step["due"]) == next(
        day for day in days if day <= latest and (day.day % 2 == 1 or day.isoweekday() == 1)
    )
