"""What is in doubt is listed, and settled as a person says."""

import sqlite3
from pathlib import Path

import pytest
from commands import ATTEMPTED, outcomes, run, skene
from small_project import RETENTION, write_project, write_users


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", {"retention.yaml": RETENTION})
    write_users(root, dormant=3)
    return root


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
    assert f"No batch '{'0' * 32}' is in doubt." in " ".join(result.output.split())
    assert outcomes(stuck) == [("in_doubt", "no_answer")]


def test_one_doubt_of_several_is_settled_by_its_batch(stuck: Path) -> None:
    with sqlite3.connect(stuck / ".skene" / "skene.db") as connection:
        connection.execute(ATTEMPTED.format("in_doubt"))

    skene(stuck, "doubts", "--batch", "x", "--settle", "skip", "--yes")

    assert "batch x" not in skene(stuck, "doubts").output
    assert outcomes(stuck) == [("in_doubt", "no_answer")]


@pytest.mark.parametrize("is_broken", [False, True], ids=["well", "broken"])
@pytest.mark.parametrize(("mode", "state"), [("live", "accepted"), ("outbox", "settled")])
def test_set_is_left_to_the_next_run_for_what_a_person_says_was_really_sent(
    root: Path, monkeypatch: pytest.MonkeyPatch, mode: str, state: str, is_broken: bool
) -> None:
    with_set = RETENTION.replace("      personalization", "      set: {name: Reminded}\n      personalization")
    write_project(root, {"retention.yaml": with_set})
    run(root)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("UPDATE skene_batches SET state = 'in_doubt', mode = ?, unresolved_since = as_of", [mode])
    if mode == "live":
        monkeypatch.setenv("SKENE_ENV", "production")
        monkeypatch.setenv("RESEND_API_KEY", "re_test")
        skene(root, "adopt", "--yes")
    if is_broken:
        write_project(root, {"retention.yaml": "type: retention\n"})

    skene(root, "doubts", "--settle", "sent", "--yes")

    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        assert connection.execute("SELECT state FROM skene_batches").fetchall() == [(state,)]
