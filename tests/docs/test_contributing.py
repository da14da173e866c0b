"""The rules of CONTRIBUTING.md that a machine can check are kept."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_pages import ROOT

PACKAGE = ROOT / "skene_dagster"

ASKS_THE_MACHINE = {
    "behaviour/event.py": "an event that is tracked without a time happens now",
    "behaviour/events.py": "how far the database's clock is from this machine's",
    "cli/demo.py": "the last simulated day is today",
    "cli/validate/validate.py": "the next tick, without asking a database",
    "compiler/starting/sensors.py": "runs of the last hour, by the time that Dagster gave them",
    "compiler/jobs/dead_runs.py": "runs that ended a while ago, by the time that Dagster gave them",
    "store/engine.py": "the clock itself",
    "web/pages/hearing.py": "what recipients say while there is no database to ask for the time",
}
"""Modules of the package that ask the machine what time it is, and for what."""

PUT_IN = {
    "webbrowser.open": "no test machine shows a browser",
    "shutil.disk_usage": "a disk that is nearly full",
    "serving.resource": "a process that may not have more files, and a system that counts none",
    "sys.executable": "a Python that is installed in the project, or elsewhere",
    "tempfile.tempdir": "a folder for the file that stays when the browser has it",
    "time.sleep": "pauses, of which only the length matters",
    "resend.api_key": "a setting of the SDK",
    "resend.api_url": "a setting of the SDK",
    "dns_resolver.default_resolver": "the network's DNS server, of which no test depends",
    "kind.list": "records of the SDK in a shape that Resend's own never have",
    "sys.stdin": "a person who answers",
    "terminal.isatty": "a person who answers",
    "from unittest.mock import patch": "chance, of which a seed of the simulation decides",
    "ledger.lock": "a fault of our own, which the simulation has to notice",
    "skene_dagster.cli.validate.validate.load": "a fault of our own, which nobody knows how to cause",
    "skene_dagster.behaviour.events._utc_now": "the clock",
    "skene_dagster.store.engine._utc_now": "the clock",
    "conversation.monotonic": "the clock",
}
"""What tests put in the place of something else, besides constants that they make smaller."""


NAMES_THE_LEDGER = {
    "frames/sending.py": "reads them for whoever asks, and writes nothing",
    "segments/triggers/trigger_windows.py": "`after` is a condition on what was accepted, and lies below the ledger",
    "store/subjects.py": "says which of the tables are about users",
    "delivery/rehearsal/decisions.py": "asks whether all tables are there with all of their columns",
    "delivery/rehearsal/rehearse.py": "asks whether the tables are there at all",
}
"""Modules besides the ledger that name its tables, and for what."""


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def test_only_listed_modules_ask_the_machine_what_time_it_is() -> None:
    clock = re.compile(r"datetime\.now\(|datetime\.today\(|date\.today\(|utcnow\(|time\.time\(\)|time_ns\(\)")

    asks = {str(file.relative_to(PACKAGE)) for file in python_files(PACKAGE) if clock.search(file.read_text("utf-8"))}

    assert asks == {*ASKS_THE_MACHINE}


@pytest.mark.parametrize(
    ("what", "where"),
    [
        pytest.param("environment.belong(", {"compiler/work.py"}, id="every op begins"),
        pytest.param("DeliverySession(", {"compiler/work.py", "cli/database.py"}, id="a delivery session is opened"),
    ],
)
def test_there_is_one_way_in_which(what: str, where: set[str]) -> None:
    files = {str(file.relative_to(PACKAGE)): file.read_text("utf-8") for file in python_files(PACKAGE)}

    assert {name for name, text in files.items() if re.search(rf"(?<!class ){re.escape(what)}", text)} == where


def test_nothing_of_ours_is_mocked_but_what_is_listed() -> None:
    put_in = {target for file in python_files(ROOT / "tests") for target in replaced(file)}

    assert {target for target in put_in if not target.rpartition(".")[2].isupper()} == {*PUT_IN}


def replaced(file: Path) -> Iterator[str]:
    """List what `monkeypatch.setattr` replaces, as its name is written; a mocking library is named as a whole."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and "mock" in ast.unparse(node):
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr":
            first, second, *_ = node.args
            is_whole = isinstance(first, ast.Constant)
            yield str(first.value) if is_whole else f"{ast.unparse(first)}.{second.value}"  # type: ignore[attr-defined]


def test_files_of_the_package_have_at_most_300_lines() -> None:
    lengths = {file: len(file.read_text("utf-8").splitlines()) for file in python_files(PACKAGE)}

    assert {str(file.relative_to(ROOT)): n for file, n in lengths.items() if n > 300} == {}


def test_nothing_is_named_as_contributing_forbids() -> None:
    made = [
        f"{file.relative_to(ROOT)}: {name}"
        for folder in ("skene_dagster", "tests", "benchmarks")
        for file in python_files(ROOT / folder)
        for name in (file.stem, *re.findall(r"^class (\w+)", file.read_text("utf-8"), re.MULTILINE))
    ]

    assert [one for one in made if re.search(r": (utils?|helpers?|Base\w*|\w+(Manager|Helper))$", one)] == []


def test_a_tests_name_is_a_sentence() -> None:
    names = [
        name
        for file in python_files(ROOT / "tests")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    ]

    assert [name for name in names if len(name.split("_")) < 4] == []


def test_sql_of_an_oddity_is_dated() -> None:
    """A comment that begins with the name of what is odd says when it was seen."""
    odd = re.compile(r"^\s*# (TiDB|MariaDB|SQLite|Resend|Dagster|sqlglot|mrml|PyMySQL|SQLAlchemy|Segment)(?: [\d.]+)?:")

    undated = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in python_files(PACKAGE)
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if odd.match(line)
    ]

    assert undated == []


def test_ci_runs_what_make_check_runs() -> None:
    check = re.search(r"^check: ([a-z ]+) ##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert check is not None

    ci = re.findall(r"^make ([a-z]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)

    assert ci == check[1].split()


def test_the_versions_of_python_are_the_same_everywhere() -> None:
    required = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert required is not None
    range_ = f"3.{required[1]} to 3.{int(required[2]) - 1}"

    for name in ("README.md", "CONTRIBUTING.md", "Makefile"):
        text = (ROOT / name).read_text("utf-8")
        assert f"Python {range_}" in text, name
        assert "3.10 or newer" not in text, name


def test_the_ledger_alone_names_its_tables() -> None:
    def names(file: Path) -> bool:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        of_tables = [node for node in imports if node.module == "skene_dagster.store.tables"]
        return any(one.name in {"sends", "batches", "recovered"} for node in of_tables for one in node.names)

    found = {str(file.relative_to(PACKAGE)) for file in python_files(PACKAGE) if names(file)}

    of_others = {file for file in found if not file.startswith("delivery/ledger/")}
    assert of_others == NAMES_THE_LEDGER.keys()
