"""The folder of the loop files: what is read from it, and that one broken file hides no other."""

from pathlib import Path

import pytest

from skene_dagster import files
from skene_dagster.errors import LoopError
from skene_dagster.loops.files import loaders
from skene_dagster.loops.files.loaders import load_file, load_folder

YAML = """\
type: retention
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello}
"""
PYTHON = """\
from skene_dagster import define_loop

loop = define_loop(
    type="retention",
    steps=[
        {
            "trigger": {"type": "schedule", "cron": "0 9 * * *"},
            "condition": {"type": "query", "query": "SELECT id FROM users"},
            "action": {"type": "email", "template": "hello"},
        }
    ],
)
"""
TYPESCRIPT = """\
import { defineLoop } from '@skene/sdk';

export default defineLoop({
  type: 'retention',
  steps: [
    {
      trigger: { type: 'schedule', cron: '0 9 * * *' },
      condition: { type: 'query', query: 'SELECT id FROM users' },
      action: { type: 'email', template: 'hello' },
    },
  ],
});
"""


def write(root: Path, **files: str) -> Path:
    folder = root / "loops"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def test_every_spelling_is_loaded_in_the_order_of_the_names(tmp_path: Path) -> None:
    folder = write(tmp_path, d__ts=TYPESCRIPT, a__yaml=YAML, c__yml=YAML, b__py=PYTHON)

    loaded = load_folder(folder, tmp_path)

    assert [one.file for one in loaded] == ["loops/a.yaml", "loops/b.py", "loops/c.yml", "loops/d.ts"]
    assert [one.error for one in loaded] == [None] * 4
    assert all(one.loop == loaded[0].loop for one in loaded)


def test_a_broken_file_hides_no_other(tmp_path: Path) -> None:
    folder = write(tmp_path, a__yaml="type: [", b__py="raise SystemExit", c__ts="{", d__yaml=YAML)
    (folder / "e.yaml").symlink_to(tmp_path / "gone.yaml")

    loaded = load_folder(folder, tmp_path)

    assert [one.loop is None for one in loaded] == [True, True, True, False, True]
    assert [one.error is None for one in loaded] == [False, False, False, True, False]
    assert str(loaded[4].error) == "loops/e.yaml\n  The file cannot be read: No such file or directory."


def test_what_is_no_loop_file_is_left_alone(tmp_path: Path) -> None:
    folder = write(tmp_path, loop__yaml=YAML, _parts__py="raise SystemExit", _draft__yaml="[", types__d__ts="declare")
    write(tmp_path, README__md="# Loops", query__sql="SELECT 1", tsconfig__json="{}", __hidden__yaml="[")
    (folder / "old.yaml").mkdir()

    loaded = load_folder(folder, tmp_path)

    assert [one.file for one in loaded] == ["loops/loop.yaml"]


@pytest.mark.parametrize("ending", ["json", "js", "mjs", "cjs", "jsx", "mts", "cts", "tsx"])
def test_a_file_that_looks_like_a_loop_is_not_passed_over_in_silence(tmp_path: Path, ending: str) -> None:
    folder = write(tmp_path, **{f"loop__{ending}": "{}"})

    (loaded,) = load_folder(folder, tmp_path)

    assert str(loaded.error) == (
        f"loops/loop.{ending}\n  A loop is not read from a .{ending} file. "
        "Write it as .ts, .yaml or .py; a name that begins with _ is ignored."
    )


def test_a_loop_whose_format_is_wrong_keeps_its_document(tmp_path: Path) -> None:
    folder = write(tmp_path, a__yaml=YAML.replace("template", "templte"))

    (loaded,) = load_folder(folder, tmp_path)

    assert loaded.loop is None
    assert loaded.document is not None
    assert loaded.document.data["type"] == "retention"


def test_an_ending_in_capitals_is_an_ending(tmp_path: Path) -> None:
    folder = write(tmp_path, A__YAML=YAML)

    assert [one.error for one in load_folder(folder, tmp_path)] == [None]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, README__md="# Loops")

    with pytest.raises(LoopError, match=r"^There are no loops in loops/\. Write a \.ts, \.yaml or \.py file there, or"):
        load_folder(folder, tmp_path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoopError, match=r"^There is no folder loops/\. Write"):
        load_folder(tmp_path / "loops", tmp_path)


def test_a_folder_elsewhere_is_shown_whole(tmp_path: Path) -> None:
    folder = write(tmp_path, a__yaml=YAML)

    (loaded,) = load_folder(folder, tmp_path / "project")

    assert loaded.file == (folder / "a.yaml").as_posix()


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for name in ("a.yaml", "b.ts", "c.py"):
        (folder / name).write_bytes(b"# one\n# two \xff\n")

    loaded = [load_file(file, tmp_path) for file in sorted(folder.iterdir())]

    assert [str(one.error).splitlines()[0] for one in loaded] == ["loops/a.yaml:2", "loops/b.ts:2", "loops/c.py:2"]


@pytest.mark.parametrize(
    ("old", "new", "lines", "words"),
    [
        pytest.param("template", "templte", (5, 9, 9), "Did you mean 'template'?", id="unknown field"),
        pytest.param("retention", "retentoin", (1, 4, 4), "Did you mean 'retention'?", id="unknown kind of loop"),
        pytest.param("schedule", "scheduul", (3, 7, 7), "Did you mean 'schedule'?", id="unknown kind of trigger"),
        pytest.param("cron", "timezone", (3, 7, 7), "'cron' is missing. Add it.", id="missing field"),
    ],
)
def test_a_fault_has_its_line_in_every_spelling(
    tmp_path: Path, old: str, new: str, lines: tuple[int, ...], words: str
) -> None:
    texts = [text.replace(old, new) for text in (YAML, PYTHON, TYPESCRIPT)]
    folder = write(tmp_path, a__yaml=texts[0], b__py=texts[1], c__ts=texts[2])

    loaded = load_folder(folder, tmp_path)

    faults = [error for one in loaded if one.error for error in one.error.errors if words in str(error)]
    assert [(fault.place.file, fault.place.line) for fault in faults if fault.place] == list(
        zip(["loops/a.yaml", "loops/b.py", "loops/c.ts"], lines, strict=True)
    )


@pytest.mark.parametrize("number", [2, 3])
def test_a_folder_holds_so_many_files_at_most(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (files, loaders):
        monkeypatch.setattr(module, "MOST_NAMES", 2)
    folder = write(tmp_path, **{f"a{n}__yaml": YAML for n in range(number)})

    if number == 2:
        assert len(load_folder(folder, tmp_path)) == 2
    else:
        with pytest.raises(LoopError, match=r"^loops/ holds more than 2 files\. Keep loops in a folder of"):
            load_folder(folder, tmp_path)


def test_a_folder_that_is_a_link_to_itself_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loops").symlink_to("loops")

    with pytest.raises(LoopError, match=r"^The folder loops/ cannot be read: .+\. Write a \.ts, \.yaml or"):
        load_folder(tmp_path / "loops", tmp_path)
