"""What waits on disk for the database: whole lines are never lost, torn ones never believed."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from skene_dagster.consent.preferences import Said
from skene_dagster.consent.spool import keys
from skene_dagster.consent.spool.choices import Choices, Torn
from skene_dagster.consent.spool.locks import locked
from skene_dagster.consent.spool.spool import Spool, can_keep
from skene_dagster.consent.tokens import Signer
from skene_dagster.errors import SpoolError, StoreUnavailable

NOW = datetime(2026, 3, 2, 9, 0, 0, 7)
KEYS = Signer(["ab" * 32, "cd" * 32])


def said(number: int) -> Choices:
    names = (f"1:{number}", f"u:{number}")
    return Choices(names, (("no", "marketing"), ("yes", "topic:tips")), Said(NOW + timedelta(number), "a test", None))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "there" / "spool")


def drained(spool: Spool) -> list[Choices]:
    found: list[Choices] = []
    spool.drain(found.extend, patience=0)
    return found


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_what_is_kept_is_handed_over_as_it_was_said_and_then_forgotten(spool: Spool) -> None:
    spool.add([said(1), said(2)])
    spool.add([said(3)])

    assert drained(spool) == [said(1), said(2), said(3)]
    assert spool.is_empty()
    assert drained(spool) == []


def test_a_line_has_what_is_needed_to_record_it_and_nothing_else() -> None:
    assert json.loads(said(1).line()) == {
        "recipients": ["1:1", "u:1"],
        "answers": [["no", "marketing"], ["yes", "topic:tips"]],
        "at": "2026-03-03T09:00:00.000007",
        "source": "a test",
        "text": None,
        "send_id": None,
    }


def test_what_nobody_said_makes_no_folder(spool: Spool) -> None:
    assert spool.is_empty()
    assert spool.waiting() is None
    assert drained(spool) == []
    assert not spool.folder.exists()


def test_only_its_user_may_look(spool: Spool) -> None:
    before = os.umask(0)
    try:
        spool.add([said(1)])
        keys.keep(spool.folder, KEYS)
        drained(spool)
        spool.add([said(1)])
    finally:
        os.umask(before)

    assert mode(spool.folder) == 0o700
    assert {file.name: mode(file) for file in spool.folder.iterdir()} == dict.fromkeys(
        ("append.lock", "drain.lock", "choices.jsonl", "keys.json"), 0o600
    )


@pytest.mark.parametrize("torn", range(1, len(said(2).line())))
def test_a_line_that_was_torn_costs_no_whole_line_wherever_it_was_torn(spool: Spool, torn: int) -> None:
    spool.add([said(1)])
    with (spool.folder / "choices.jsonl").open("ab") as file:
        file.write(said(2).line()[:torn])

    spool.add([said(3)])

    # The last byte of a line is its end: without it the line is whole, and was only not acknowledged.
    is_whole = torn == len(said(2).line()) - 1
    assert drained(spool) == [said(1), *([said(2)] if is_whole else []), said(3)]


@pytest.mark.parametrize("torn", [1, 2])
def test_a_file_that_begins_with_a_torn_line_loses_none_either(spool: Spool, torn: int) -> None:
    spool.folder.mkdir(parents=True)
    (spool.folder / "choices.jsonl").write_bytes(said(1).line()[:torn])

    spool.add([said(2)])

    assert drained(spool) == [said(2)]


def test_a_torn_line_at_the_end_is_no_answer(spool: Spool) -> None:
    spool.add([said(1)])
    with (spool.folder / "choices.jsonl").open("ab") as file:
        file.write(said(2).line()[:20])

    waiting = spool.waiting()

    assert waiting is not None
    assert waiting.choices == 1
    assert drained(spool) == [said(1)]


def test_nothing_is_forgotten_that_the_database_did_not_take(spool: Spool) -> None:
    spool.add([said(number) for number in range(250)])
    taken: list[Choices] = []

    def fails_in_the_middle(some: Sequence[Choices]) -> None:
        if taken:
            raise StoreUnavailable("It is away.")
        taken.extend(some)

    with pytest.raises(StoreUnavailable):
        spool.drain(fails_in_the_middle, patience=0)
    spool.add([said(250)])

    assert len(taken) == 100
    assert not spool.is_empty()
    waiting = spool.waiting()
    assert waiting is not None
    assert waiting.choices == 251
    assert drained(spool) == [said(number) for number in range(251)]


def test_what_is_said_while_it_is_drained_is_handed_over_too(spool: Spool) -> None:
    spool.add([said(1)])
    found: list[Choices] = []

    def another_speaks(some: Sequence[Choices]) -> None:
        if not found:
            spool.add([said(2)])
        found.extend(some)

    spool.drain(another_speaks, patience=0)

    assert found == [said(1), said(2)]
    assert spool.is_empty()


def test_a_whole_line_of_another_release_is_kept_and_told(spool: Spool) -> None:
    spool.add([said(1)])
    with (spool.folder / "choices.jsonl").open("ab") as file:
        file.write(b'{"of": "tomorrow"}\n')

    for _ in range(2):
        with pytest.raises(SpoolError, match=r"Line 2 of .*draining\.jsonl is of another release"):
            drained(spool)

    assert b"tomorrow" in (spool.folder / "draining.jsonl").read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param({"answers": []}, id="says nothing"),
        pytest.param({"answers": [["perhaps", "marketing"]]}, id="neither yes nor no"),
        pytest.param({"at": "yesterday"}, id="no moment"),
        pytest.param({"recipients": 7}, id="nobody"),
        pytest.param({"answers": [["no"]]}, id="about nothing"),
    ],
)
def test_a_line_is_believed_only_as_a_whole(line: dict[str, object]) -> None:
    written = json.loads(said(1).line()) | line

    with pytest.raises(ValueError):  # noqa: PT011 - which words, is nobody's promise
        Choices.read(json.dumps(written).encode())
    with pytest.raises(Torn):
        Choices.read(json.dumps(written).encode()[:-1])


def test_two_never_drain_at_once(spool: Spool) -> None:
    spool.add([said(1)])

    with locked(spool.folder / "drain.lock"), pytest.raises(SpoolError, match="Another process has been writing"):
        spool.drain(lambda _: None, patience=0.05)

    assert drained(spool) == [said(1)]


def test_several_processes_append_at_once_and_no_line_is_mixed(spool: Spool, tmp_path: Path) -> None:
    program = tmp_path / "appends.py"
    program.write_text(
        "import sys\n"
        "from datetime import datetime, timedelta\n"
        "from pathlib import Path\n"
        "from skene_dagster.consent.preferences import Said\n"
        "from skene_dagster.consent.spool.choices import Choices\n"
        "from skene_dagster.consent.spool.spool import Spool\n"
        "for n in range(50):\n"
        "    said = Said(datetime(2026, 3, 2) + timedelta(n), sys.argv[2] * 60, None)\n"
        "    Spool(Path(sys.argv[1])).add([Choices((f'1:{n}',), (('no', 'marketing'),), said)] * 3)\n",
        encoding="utf-8",
    )
    several = [subprocess.Popen([sys.executable, str(program), str(spool.folder), name]) for name in ("a", "b", "c")]
    found: list[Choices] = []
    while any(one.poll() is None for one in several):
        spool.drain(found.extend, patience=30)

    assert [one.wait() for one in several] == [0, 0, 0]
    found += drained(spool)
    assert len(found) == 3 * 3 * 50
    assert {(one.said.source[0], one.recipients[0]) for one in found} == {
        (name, f"1:{n}") for name in "abc" for n in range(50)
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_may_not_be_looked_into_is_told(spool: Spool) -> None:
    spool.add([said(1)])
    spool.folder.chmod(0)
    try:
        with pytest.raises(SpoolError, match="Let all processes of the project run as one user"):
            spool.is_empty()
    finally:
        spool.folder.chmod(0o700)


def test_a_folder_that_is_a_file_is_told(spool: Spool) -> None:
    spool.folder.parent.mkdir()
    spool.folder.touch()

    assert not can_keep(spool.folder)
    with pytest.raises(OSError, match="exists"):
        spool.add([said(1)])
    with pytest.raises(SpoolError, match="cannot be read"):
        spool.is_empty()


def test_the_keys_are_kept_and_a_torn_file_of_them_is_none(tmp_path: Path) -> None:
    assert keys.kept(tmp_path / "spool") is None

    keys.keep(tmp_path / "spool", KEYS)
    assert keys.kept(tmp_path / "spool") == KEYS
    keys.keep(tmp_path / "spool", Signer(["ef" * 32]))
    assert keys.kept(tmp_path / "spool") == Signer(["ef" * 32])

    for torn in ("", "[", "[]", '["short"]', '{"a": 1}', "[1]"):
        (tmp_path / "spool" / "keys.json").write_text(torn, encoding="utf-8")
        assert keys.kept(tmp_path / "spool") is None
