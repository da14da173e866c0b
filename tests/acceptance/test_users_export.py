"""All that we hold of one user, as they may have it: `skene-dagster users export`."""

import json
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from commands import skene
from explained_world import Scene, everything_happens, make_scene

from skene_dagster.explain import holdings
from skene_dagster.store.engine import open_engine

ADA = 4711
ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "project"
    (root / ".skene").mkdir(parents=True)
    engine = open_engine(f"sqlite:///{root / '.skene' / 'skene.db'}")
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    yield make_scene(engine, root, now - timedelta(days=13), environ=ENVIRON)
    engine.dispose()


def export(scene: Scene, *arguments: str) -> Result:
    return skene(scene.root, "users", "export", *arguments)


def exported(scene: Scene, word: str) -> dict[str, Any]:
    result = export(scene, word)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_is_one_object_with_a_list_for_each_table(scene: Scene) -> None:
    everything_happens(scene, ADA)

    found = exported(scene, str(ADA))

    assert [*found] == ["exported_at", "user", "address", "tables"]
    assert (found["user"], found["address"]) == ("4711", "u4711@example.com")
    assert [*found["tables"]] == [table.name for table in holdings.tables()]
    send = found["tables"]["skene_sends"][0]
    assert send["user_id"] == ADA
    # ISO 8601, in UTC.
    assert datetime.fromisoformat(send["as_of"].removesuffix("Z"))
    assert send["as_of"].endswith("Z")
    assert found["tables"]["skene_events"] == []


def test_whoever_says_their_address_gets_the_same(scene: Scene) -> None:
    everything_happens(scene, ADA)

    by_key, by_address = exported(scene, str(ADA)), exported(scene, " U4711@example.com")

    assert by_key["tables"] == by_address["tables"]


def test_a_file_is_readable_by_its_owner_alone(scene: Scene, tmp_path: Path) -> None:
    everything_happens(scene, ADA)
    file = tmp_path / "ada.json"

    result = export(scene, str(ADA), str(file))

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "rows written to" in " ".join(result.stderr.split())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text(encoding="utf-8"))["user"] == "4711"


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.add(ADA)
    file = tmp_path / "no" / "such" / "folder.json"

    result = export(scene, str(ADA), str(file))

    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_two_users_of_one_address_have_to_be_named_by_their_keys(scene: Scene) -> None:
    scene.add(1, email="shared@example.com")
    scene.add(2, email="shared@example.com")

    result = export(scene, "shared@example.com")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Several users are meant: 1, 2. Name one of them by the key." in " ".join(result.stderr.split())


def test_who_is_no_user_any_more_gets_what_is_left_of_them(scene: Scene) -> None:
    everything_happens(scene, ADA)
    scene.execute("DELETE FROM users")

    by_key, by_address = exported(scene, str(ADA)), exported(scene, "u4711@example.com")

    assert len(by_key["tables"]["skene_sends"]) == 4
    assert by_address["user"] is None
    assert by_address["tables"]["skene_sends"] == []
    assert len(by_address["tables"]["skene_suppressions"]) == 1


@pytest.mark.parametrize("word", ["4712", "nobody@example.com", "no key", "", "\x1b[31m"])
def test_of_nobody_nothing_is_written(scene: Scene, word: str, tmp_path: Path) -> None:
    everything_happens(scene, ADA)

    result = export(scene, word, str(tmp_path / "file.json"))

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "4711" not in result.stderr
    assert "\x1b" not in result.stderr
    assert not (tmp_path / "file.json").exists()


def test_a_key_in_bytes_and_names_in_any_letters_are_written(scene: Scene) -> None:
    scene.add(ADA, name="漢字 \x1b[31m")
    scene.tick("activation")

    assert exported(scene, str(ADA))["tables"]["skene_sends"][0]["state"] == "accepted"
