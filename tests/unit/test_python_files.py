"""Loops in Python: executed, for the code is the author's own, and never left behind as a module."""

import sys
from pathlib import Path

import pytest

from skene_dagster.documents import Document
from skene_dagster.errors import LoopSyntaxError
from skene_dagster.loops.files import python_file
from skene_dagster.loops.files.python_file import run_python
from skene_dagster.text_lines import TextLines

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
            "a is a set, which a loop cannot contain. Write a string, a number,",
            id="a set",
        ),
        pytest.param(
            HEAD + "loop = define_loop(set={5: 1})\n", "loops/x.py:2  set", "a dict with string keys", id="a key"
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
        pytest.param(
            HEAD + f"loop = define_loop(a={'[' * 21}{']' * 21})\n",
            "loops/x.py:2  a" + ".0" * 20,
            "0.0 is a value nested too deeply, which a loop cannot contain.",
            id="twenty-one lists",
        ),
        pytest.param(
            HEAD + f"loop = define_loop(a={2**63})\n", "loops/x.py:2  a", "a is a number out of range", id="too large"
        ),
        pytest.param(
            HEAD + f"loop = define_loop(a={-(2**63)})\n", "loops/x.py:2  a", "out of range", id="too far below nothing"
        ),
        pytest.param(
            HEAD + "loop = define_loop(goal={'a': {'b': open}})\n",
            "loops/x.py:2  goal.a.b",
            "a.b is a builtin_function_or_method, which",
            id="a function deep within",
        ),
        pytest.param(HEAD + "loop = define_loop(a=b'x')\n", "loops/x.py:2  a", "a is a bytes, which", id="bytes"),
        pytest.param(
            "def f():\n    g()\ndef g():\n    raise KeyError('x')\n\nf()\n",
            "loops/x.py:4",
            "raised KeyError: 'x'",
            id="raised two functions deep",
        ),
        pytest.param(
            "class Odd(Exception):\n    def __str__(self):\n        return 1 / 0\nraise Odd\n",
            "loops/x.py:4",
            "The file raised Odd.",
            id="an exception that cannot be told",
        ),
        pytest.param(
            HEAD + "loop = define_loop(set={'a': 2, 5: 1})\n", "loops/x.py:2  set", "set is a dict, which", id="one key"
        ),
        pytest.param(f"a = {'-' * 100_000}1\n", "loops/x.py", "The Python is nested too deeply.", id="many signs"),
        pytest.param("loop = None\n", "loops/x.py", "'loop' is not the result of define_loop", id="nothing"),
    ],
)
def test_a_fault_is_one_message_with_its_line(tmp_path: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(LoopSyntaxError) as caught:
        read(tmp_path, text)

    where, _, what = str(caught.value).partition("\n")
    assert where == place
    assert words in what
    assert "Traceback" not in what


def test_what_a_loop_can_just_hold_is_held(tmp_path: Path) -> None:
    text = HEAD + f"loop = define_loop(a={'[' * 20}{']' * 20}, b={2**63 - 1}, c={1 - 2**63}, d=1.5, e=None, f=True)\n"

    data = read(tmp_path, text).data

    assert (data["b"], data["c"], data["d"], data["e"], data["f"]) == (2**63 - 1, 1 - 2**63, 1.5, None, True)


@pytest.mark.parametrize("items", [7, 8])
def test_a_file_holds_so_many_values_at_most(tmp_path: Path, items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_file, "MOST_VALUES", 10)
    text = HEAD + f"loop = define_loop(a={[1] * items}, b=[])\n"

    if items == 7:
        assert read(tmp_path, text).data == {"a": [1] * 7, "b": []}
    else:
        with pytest.raises(LoopSyntaxError, match="b is a value after 10 others, which a loop cannot contain"):
            read(tmp_path, text)


def test_the_lines_of_two_calls_are_told_apart(tmp_path: Path) -> None:
    text = HEAD + "loop = define_loop(\n  **{'holdout': 5},\n  type='y',\n)\nother = define_loop(\n  type='x',\n)\n"

    document = read(tmp_path, text)

    assert document.data == {"holdout": 5, "type": "y"}
    assert document.place(("type",)).line == 4
    assert document.place(("holdout",)).line == 2


def test_what_another_call_makes_has_the_line_of_the_loop(tmp_path: Path) -> None:
    document = read(tmp_path, HEAD + "loop = define_loop(**dict(\n  type='y'), goal={**{'a': 1}, 'b':\n 2})\n")

    assert document.data == {"type": "y", "goal": {"a": 1, "b": 2}}
    assert document.place(("type",)).line == 2
    assert document.place(("goal", "a")).line == 3


def lines(folder: Path, text: str) -> TextLines:
    found = read(folder, f"from skene_dagster import define_loop\n{text}\n").text_lines(("query",))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        pytest.param(
            "loop = define_loop(query='SELECT id'\n        ' FROM users')", ((0, 2), (9, 3)), id="side by side"
        ),
        pytest.param(
            "loop = define_loop(query='SELECT id '\n        +\n    'FROM users')", ((0, 2), (10, 4)), id="joined by +"
        ),
        pytest.param("SQL = 'SELECT id'\nloop = define_loop(query=SQL)", ((0, 2),), id="under a name"),
        pytest.param("A = 'SELECT id'\nB = A\nloop = define_loop(query=B)", ((0, 2),), id="under a name of a name"),
        pytest.param("SQL: str = 'SELECT id'\nloop = define_loop(query=SQL)", ((0, 2),), id="under a name with a type"),
        pytest.param(
            'import textwrap\nloop = define_loop(query=textwrap.dedent("""\\\n  SELECT id\n  FROM users"""))',
            ((0, 4), (10, 5)),
            id="textwrap.dedent",
        ),
        pytest.param(
            'from inspect import cleandoc\nloop = define_loop(query=cleandoc("""\n  SELECT id\n  FROM users"""))',
            ((0, 4), (10, 5)),
            id="cleandoc",
        ),
        pytest.param('loop = define_loop(query="""\n  SELECT id\n""".strip())', ((0, 3),), id="strip"),
        pytest.param("loop = define_loop(query=' '.join(('SELECT',\n    'id')))", ((0, 2), (7, 3)), id="join"),
    ],
)
def test_the_lines_of_a_text_are_those_where_it_is_written(
    tmp_path: Path, text: str, starts: tuple[tuple[int, int], ...]
) -> None:
    found = lines(tmp_path, text)

    assert found.known
    assert found.starts == starts


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("SQL = 'SELECT id'\nSQL = 'SELECT id'\nloop = define_loop(query=SQL)", id="a name twice"),
        pytest.param("a = b = 'SELECT id'\nloop = define_loop(query=b)", id="two names at once"),
        pytest.param("loop = define_loop(query='select id'.upper())", id="a method that changes it"),
        pytest.param("loop = define_loop(query='SELECT {}'.format('id'))", id="a method with an argument"),
        pytest.param("loop = define_loop(query=str('SELECT id'))", id="a function"),
        pytest.param("loop = define_loop(**{'query': 'SELECT id'})", id="fields that are not written out"),
        pytest.param("loop = define_loop(**{'query': ''})", id="an empty one"),
    ],
)
def test_the_lines_of_a_text_that_is_computed_are_not_known(tmp_path: Path, text: str) -> None:
    found = lines(tmp_path, text)

    assert not found.known
    assert found.at(0) == text.count("\n") + 2
