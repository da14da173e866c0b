"""Loops in Python: executed, for the code is the author's own, and never left behind as a module."""

import sys
from pathlib import Path

import pytest

from skene_dagster.documents import Document
from skene_dagster.errors import LoopSyntaxError
from skene_dagster.loops.python_file import run_python

HEAD = "from skene_dagster import define_loop\n"


def read(folder: Path, text: str) -> Document:
    file = folder / "x.py"
    file.write_text(text, encoding="utf-8")
    return run_python(file.read_text(encoding="utf-8"), file, "loops/x.py")


def test_values_may_be_computed(tmp_path: Path) -> None:
    text = HEAD + "days = [7, 14]\nloop = define_loop(type='retention', steps=tuple({'n': f'{d}d'} for d in days))\n"

    assert read(tmp_path, text).data == {"type": "retention", "steps": [{"n": "7d"}, {"n": "14d"}]}


def test_what_is_written_out_has_its_line_and_what_is_computed_that_of_its_call(tmp_path: Path) -> None:
    text = HEAD + (
        "def schedule(cron):\n    return {'type': 'schedule', 'cron': cron}\n"
        "loop = define_loop(\n"
        "    type='retention',\n"
        "    steps=[\n"
        "        {\n"
        "            'trigger': schedule('0 9 * * *'),\n"
        "            'condition': dict(\n"
        "                query=(\n"
        "                    'SELECT id'\n"
        "                ),\n"
        "            ),\n"
        "        },\n"
        "    ],\n"
        ")\n"
    )

    document = read(tmp_path, text)

    assert document.place(()).line == 4
    assert document.place(("type",)).line == 5
    assert document.place(("steps", 0)).line == 7
    assert document.place(("steps", 0, "trigger", "cron")).line == 8
    assert document.place(("steps", 0, "condition", "query")).line == 10
    assert document.text_place(("steps", 0, "condition", "query")).line == 11


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = set(sys.modules)

    read(tmp_path, HEAD + "loop = define_loop(type='retention')\n")

    assert set(sys.modules) == before
    assert [file.name for file in tmp_path.rglob("*")] == ["x.py"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param("", "loops/x.py", "'loop' is not defined. Write: loop = define_loop(", id="empty"),
        pytest.param("loop = {}\n", "loops/x.py", "'loop' is not the result of define_loop", id="a dict"),
        pytest.param(HEAD + "define_loop(type='x')\n", "loops/x.py", "'loop' is not defined", id="no name"),
        pytest.param("a = 1\nloop = define_loop(\n", "loops/x.py:2", "was never closed", id="open bracket"),
        pytest.param("a = 1\n  b = 2\n", "loops/x.py:2", "unexpected indent", id="indentation"),
        pytest.param(
            "a = 1\nb = 1 / 0\n", "loops/x.py:2", "raised ZeroDivisionError: division by zero", id="exception"
        ),
        pytest.param("import no_such_module\n", "loops/x.py:1", "ModuleNotFoundError: No module named", id="import"),
        pytest.param(
            "def f():\n    raise KeyError\nf()\n", "loops/x.py:2", "raised KeyError.", id="raised in a function"
        ),
        pytest.param("import json\njson.loads('{')\n", "loops/x.py:2", "JSONDecodeError", id="raised elsewhere"),
        pytest.param("import sys\nsys.exit(3)\n", "loops/x.py:2", "raised SystemExit: 3", id="exit"),
        pytest.param(HEAD + "loop = define_loop({})\n", "loops/x.py:2", "TypeError", id="a dict as an argument"),
        pytest.param(HEAD + "loop = define_loop(typ=open)\n", "loops/x.py:2  typ", "typ is a builtin", id="a function"),
        pytest.param(
            HEAD + "loop = define_loop(steps=[\n  {'a': {1}}])\n",
            "loops/x.py:3  step 1, a",
            "a is a set, which a loop cannot hold. Write a text, a number,",
            id="a set",
        ),
        pytest.param(
            HEAD + "loop = define_loop(set={5: 1})\n", "loops/x.py:2  set", "a dict whose keys are texts", id="a key"
        ),
        pytest.param(
            HEAD + "a = []\na.append(a)\nloop = define_loop(steps=a)\n",
            "loops/x.py:4  step 1, 0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
            "nested too deeply",
            id="a list in itself",
        ),
        pytest.param(
            HEAD + "loop = define_loop(type='\\ud83d')\n", "loops/x.py:2  type", "half a character", id="half"
        ),
        pytest.param("a = 1\nb = '\0'\n", "loops/x.py", "null bytes", id="a null byte"),
    ],
)
def test_a_fault_is_one_message_with_its_line(tmp_path: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(LoopSyntaxError) as caught:
        read(tmp_path, text)

    where, _, what = str(caught.value).partition("\n")
    assert where == place
    assert words in what
    assert "Traceback" not in what
