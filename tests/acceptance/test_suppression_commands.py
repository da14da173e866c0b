"""A person looks at the list of suppressions, puts people on it, and takes them off it."""

import json
import sqlite3
from pathlib import Path

import pytest
from commands import outcomes, run, skene
from listed_people import execute, rows, said, write_listed_project

ADA = "ada@example.com"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_listed_project(tmp_path / "project")


def bounced(root: Path, reason: str = "bounce") -> None:
    """Ada's address is on the list for a reason that no command writes by itself."""
    said(root, "add", ADA, "--scope", "all")
    execute(root, f"UPDATE skene_suppressions SET reason = '{reason}'")


def test_whoever_is_added_gets_no_marketing_email_at_their_address_or_as_a_user(root: Path) -> None:
    told = said(root, "add", "User-1@EXAMPLE.com")

    assert "added User-1@example.com: no marketing email" in told
    assert "added user 1 (User-1@example.com): no marketing email" in told
    assert rows(root) == [(None, "marketing", "manual"), ("User-1@example.com", "marketing", "manual")]


def test_a_run_mails_nobody_whom_a_person_has_added(root: Path) -> None:
    said(root, "add", "user-1@example.com")

    assert run(root)

    assert outcomes(root) == [("accepted", None), ("skipped", "said_no")]


def test_a_dead_address_is_added_without_its_users(root: Path) -> None:
    said(root, "add", "user-1@example.com", "--scope", "all")

    assert rows(root) == [("user-1@example.com", "all", "manual")]


def test_a_user_is_added_with_their_address(root: Path) -> None:
    told = said(root, "add", "--user", "2")

    assert "added user 2 (u…@example.com): no marketing email" in told
    assert rows(root) == [(None, "marketing", "manual"), ("user-2@example.com", "marketing", "manual")]


def test_whoever_is_on_the_list_stays_there_as_they_are(root: Path) -> None:
    said(root, "add", ADA, "--reason", "they called us")
    told = said(root, "add", ADA, "bob@example.com", "--reason", "another reason")

    assert "ok ada@example.com: no marketing email already, since" in told
    assert "(manual: they called us)" in told
    assert rows(root, "address, source") == [(ADA, "they called us"), ("bob@example.com", "another reason")]


@pytest.mark.parametrize("command", ["add", "lift --reason x"])
@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(["ada@"], "'ada@' is not an address", id="no address"),
        pytest.param([ADA, "a@example.com,b@example.com"], "'a@example.com,b@example.com' is not", id="two in one"),
        pytest.param([], "Name an address, a user with --user, or an account with --account.", id="nobody"),
        pytest.param([ADA, "--reason", "x" * 256], "characters", id="a reason too long"),
        pytest.param([ADA, "--reason", "  "], "It is empty.", id="an empty reason"),
        pytest.param([ADA, "--reason", "they wrote: \udce9"], "It is not UTF-8.", id="a reason in another encoding"),
    ],
)
def test_a_wrong_call_changes_nothing(root: Path, command: str, asked: list[str], why: str) -> None:
    told = said(root, *command.split(), *asked, exit_code=2)

    assert why in told
    assert rows(root) == []


@pytest.mark.parametrize(("key", "why"), [("99", "No user has users.id = 99."), ("x", "No user has users.id = x.")])
def test_only_a_user_who_is_there_is_added(root: Path, key: str, why: str) -> None:
    assert why in said(root, "add", "--user", key, exit_code=2)


def test_a_user_without_an_address_can_say_no_but_has_no_address_to_be_dead(root: Path) -> None:
    execute(root, "UPDATE users SET email = NULL WHERE id = 1")

    assert "user 1: no marketing email" in said(root, "add", "--user", "1")
    assert "User 1 has no valid address" in said(root, "add", "--user", "1", "--scope", "all", exit_code=2)


def test_the_list_counts_what_holds_and_shows_the_newest_masked(root: Path) -> None:
    said(root, "add", "user-1@example.com", ADA)
    said(root, "add", "bob@example.com", "--scope", "all", "--reason", "a dead mailbox")

    told = said(root, "list")

    assert "4 suppressions" in told
    assert "1 all manual 3 marketing manual" in told
    assert "b…@example.com all manual" in told
    assert "a dead mailbox" in told
    assert "bob@" not in told
    assert "all manual" not in said(root, "list", "--scope", "marketing")


def test_of_a_long_list_the_newest_twenty_are_shown_unless_all_are_wanted(root: Path) -> None:
    said(root, "add", *(f"{letter}@example.com" for letter in "abcdefghijklmnopqrstuv"))

    assert said(root, "list").count("@example.com") == 20
    assert said(root, "list", "--all").count("@example.com") == 22


def test_an_empty_list_is_no_error(root: Path) -> None:
    assert "The list is empty." in said(root, "list")


def test_of_an_address_the_list_says_what_it_stops_and_why_and_what_was_lifted(root: Path) -> None:
    said(root, "add", "user-1@example.com", "--reason", "they called us")
    said(root, "lift", "user-1@example.com", "--reason", "they called again")
    said(root, "add", "user-1@example.com", "--scope", "all", "--reason", "a dead mailbox")

    told = said(root, "list", "user-1@example.com")

    assert "user-1@example.com: no email at all" in told
    assert "all manual since" in told
    assert "a dead mailbox" in told
    assert "lifted" in told
    assert "they called again" in told
    assert "user 1 (user-1@example.com): not on the list" in told


def test_a_user_is_looked_up_with_their_address_which_stays_masked(root: Path) -> None:
    said(root, "add", "user-1@example.com")

    told = said(root, "list", "--user", "1")

    assert "user 1 (u…@example.com): no marketing email" in told
    assert "user-1@" not in told


def test_whoever_is_not_on_the_list_is_said_not_to_be(root: Path) -> None:
    assert "ada@example.com: not on the list" in said(root, "list", ADA)


def test_a_user_who_is_gone_is_still_found_by_their_key(root: Path) -> None:
    said(root, "add", "--user", "1")
    execute(root, "DELETE FROM users")

    assert "user 1: no marketing email" in said(root, "list", "--user", "1")
    assert "lifted user 1: marketing" in said(root, "lift", "--user", "1", "--reason", "they are back")


def test_programs_get_the_list_as_one_object(root: Path) -> None:
    said(root, "add", ADA)

    listed = json.loads(skene(root, "suppressions", "list", "--json").output)
    one = json.loads(skene(root, "suppressions", "list", ADA, "--json").output)

    assert listed["counts"] == [{"scope": "marketing", "reason": "manual", "number": 1}]
    assert [entry["address"] for entry in listed["newest"]] == ["a…@example.com"]
    (ada,) = one["recipients"]
    assert (ada["address"], ada["user"], [entry["scope"] for entry in ada["holds"]]) == (ADA, None, ["marketing"])
    assert ada["ended"] == []


@pytest.mark.parametrize("extra", [["--all"], [ADA, "--all"], ["--user", "1", "--all"]])
def test_a_call_of_the_list_that_contradicts_itself_is_refused(root: Path, extra: list[str]) -> None:
    assert "--all is for the whole list" in said(root, "list", "--json", *extra, exit_code=2)


def test_a_lift_takes_an_address_and_its_users_off_the_list_and_keeps_why(root: Path) -> None:
    said(root, "add", "user-1@example.com")

    told = said(root, "lift", "user-1@example.com", "--reason", "they wrote to us")

    assert "lifted user-1@example.com: marketing" in told
    assert "lifted user 1 (user-1@example.com): marketing" in told
    assert rows(root) == []
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        kept = connection.execute("SELECT DISTINCT lift_reason FROM skene_suppressions").fetchall()
    assert kept == [("they wrote to us",)]


def test_a_lift_of_one_scope_leaves_the_other(root: Path) -> None:
    said(root, "add", ADA)
    said(root, "add", ADA, "--scope", "all")

    said(root, "lift", ADA, "--scope", "all", "--reason", "a new mailbox")

    assert rows(root) == [(ADA, "marketing", "manual")]


def test_what_is_not_on_the_list_need_not_be_lifted(root: Path) -> None:
    assert "ok ada@example.com: nothing to lift." in said(root, "lift", ADA, "--reason", "a mistake")


@pytest.mark.parametrize("reason", ["bounce", "provider"])
def test_a_lift_says_that_the_list_of_the_provider_is_not_changed(root: Path, reason: str) -> None:
    bounced(root, reason)

    told = said(root, "lift", ADA, "--reason", "a new mailbox", exit_code=4)

    assert "lifted ada@example.com: all" in told
    assert "a list of its own, which is not changed: emails do not go to people here (SKENE_ENV is dev" in told
    assert rows(root) == []


def test_a_complaint_is_lifted_only_by_who_insists(root: Path) -> None:
    bounced(root, "complaint")

    refused = said(root, "lift", ADA, "--reason", "a mistake", exit_code=4)
    assert "ada@example.com: all stays" in refused
    assert "--yes" in refused
    assert rows(root) == [(ADA, "all", "complaint")]

    insisted = said(root, "lift", ADA, "--reason", "a mistake", "--yes", exit_code=4)
    assert "lifted ada@example.com: all" in insisted
    assert rows(root) == []


def test_a_lift_needs_a_reason(root: Path) -> None:
    assert "--reason" in said(root, "lift", ADA, exit_code=2)


@pytest.mark.parametrize("command", ["list", f"add {ADA}", f"lift {ADA} --reason x"])
def test_without_the_tables_there_is_one_sentence(root: Path, command: str) -> None:
    execute(root, "DROP TABLE skene_schema_version")

    assert "The skene_* tables are not in the database" in said(root, *command.split(), exit_code=3)


def test_a_column_that_is_not_there_is_told_with_the_settings_that_name_it(root: Path) -> None:
    execute(root, "ALTER TABLE users RENAME COLUMN email TO mail")

    told = said(root, "add", ADA, exit_code=1)

    assert "skene.yaml users.email" in told


def test_what_the_database_holds_cannot_steer_the_terminal(root: Path) -> None:
    said(root, "add", ADA, "--reason", "\x1b[31mred")

    assert "\x1b" not in said(root, "list") + said(root, "list", ADA)


@pytest.mark.parametrize("command", [f"list {ADA}", f"add {ADA}", f"lift {ADA} --reason x"])
def test_without_the_salt_no_command_looks_anybody_up(root: Path, command: str) -> None:
    execute(root, "DELETE FROM skene_meta WHERE name = 'salt'")

    assert "Restore skene_meta from the backup" in said(root, *command.split(), exit_code=3)
