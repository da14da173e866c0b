"""`validate --format json`, `sarif` and `github`: the same findings for programs, each with a code that stays."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif
from test_topics import LOOP, PUBLIC, write

from skene_dagster.cli import main
from skene_dagster.cli.validate.findings import Finding
from skene_dagster.cli.validate.formats import to_github, to_sarif
from skene_dagster.codes import Code
from skene_dagster.errors import DocumentErrors, LoopInvalid, Notice, Place, StoreUnavailable

PACKAGE = Path(__file__).parents[2] / "skene_dagster"


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--project", str(root), "validate", *arguments])


def findings(root: Path) -> list[dict[str, Any]]:
    result = run(root, "--format", "json")
    said = json.loads(result.stdout)
    assert said["ok"] == (result.exit_code == 0)
    found: list[dict[str, Any]] = said["findings"]
    return found


def errors(root: Path, settings: str = PUBLIC, loop: str = LOOP) -> list[tuple[str, str, int | None, int | None]]:
    write(root, settings, loop)
    return [(one["code"], one["file"], one["line"], one["column"]) for one in findings(root) if one["level"] == "error"]


def test_a_project_that_is_well_has_no_findings(tmp_path: Path) -> None:
    write(tmp_path, PUBLIC)
    result = run(tmp_path, "--format", "json")

    assert json.loads(result.stdout) == {"version": 1, "ok": True, "database": None, "findings": []}
    assert result.exit_code == 0


def test_a_finding_says_all_that_a_person_is_told(tmp_path: Path) -> None:
    write(tmp_path, PUBLIC, LOOP.replace("    action:", "    actoin:"))

    missing, unknown = sorted(findings(tmp_path), key=lambda one: str(one["code"]), reverse=True)

    assert missing["code"] == "SK104"
    assert unknown == {
        "level": "error",
        "code": "SK103",
        "file": "loops/loop.yaml",
        "line": 5,
        "column": 5,
        "part": "step 1, actoin",
        "message": "'actoin' is not a field here.",
        "advice": "Use one of: name, renamed_from, trigger, condition, action. Did you mean 'action'?",
    }
    text = run(tmp_path).output
    assert " ".join(f"{unknown['message']} {unknown['advice']}".split()) in " ".join(text.split())


@pytest.mark.parametrize(
    ("old", "new", "code", "column"),
    [
        ("type: retention\n", "type: retention\n\t- x\n", Code.SYNTAX, None),
        ("type: retention", "type: retain", Code.NOT_A_CHOICE, 1),
        ("cron: 0 9 * * *", "cron: 7", Code.WRONG_KIND, 31),
        ("cron: 0 9 * * *", "cron: 0 9 * *", Code.TRIGGER, 31),
        ("type: retention", "type: retention\nname: Not a name", Code.NAME, 1),
        ("type: retention", "type: retention\ntopic: none", Code.TOPIC, 1),
        ("template: hello", "template: hello, sender: tim", Code.SENDER, 44),
        ("template: hello", "template: hello, repeat: 0s", Code.BAD_VALUE, 44),
        ("template: hello", "template: hullo", Code.NO_TEMPLATE, 27),
        ("template: hello", "template: hello, personalization: {n: '{{ user.n'}", Code.EXPRESSION, 62),
        ("SELECT id FROM users", "DELETE FROM users", Code.ONE_SELECT, None),
        ("SELECT id FROM users", "SELECT id FROM users WHERE sleep(9)", Code.FUNCTION, None),
        ("SELECT id FROM users", "SELECT id FROM users WHERE id OVERLAPS 1", Code.SQL, None),
    ],
)
def test_each_kind_of_error_has_its_code(tmp_path: Path, old: str, new: str, code: Code, column: int | None) -> None:
    found = errors(tmp_path, loop=LOOP.replace(old, new))

    assert [one[0] for one in found] == [code.id]
    if column is not None:
        assert found[0][3] == column


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("hello.mjml", "{{ nobody }} {{ unsubscribe_url }} {{ postal_address }}", Code.NOT_PROVIDED),
        ("hello.mjml", "{% if %}", Code.JINJA),
        ("hello.mjml", "</mj-text><mj-txt>", Code.MJML),
        ("hello.mjml", "Hi", Code.FOOTER),
        ("hello.txt", "Hi", Code.FOOTER),
    ],
)
def test_each_fault_of_a_template_has_its_code(tmp_path: Path, file: str, text: str, code: Code) -> None:
    write(tmp_path, PUBLIC)
    whole = (tmp_path / "templates" / file).read_text("utf-8")
    (tmp_path / "templates" / file).write_text(whole.replace("{{ unsubscribe_url }} {{ postal_address }}", text))

    assert {one["code"] for one in findings(tmp_path)} == {code.id}


def test_settings_that_nothing_can_be_checked_with_are_told_to_programs_too(tmp_path: Path) -> None:
    assert errors(tmp_path, "sendr: {}\n") == [("SK103", "skene.yaml", 1, 1)]
    assert run(tmp_path, "--format", "json").exit_code == 1


def test_a_database_that_cannot_be_reached_is_no_error_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, PUBLIC)
    environ = {"SKENE_DATABASE_URL": "mysql+pymysql://nobody@127.0.0.1:1/none"}
    arguments = ["--project", str(tmp_path), "validate", "--database", "--format", "json"]

    result = CliRunner(env=environ).invoke(main, arguments)

    (found,) = json.loads(result.stdout)["findings"]
    assert (found["code"], found["file"], found["line"]) == ("SK601", None, None)
    assert result.exit_code == 3


def some(root: Path) -> list[Finding]:
    place = Place("loops/a b.yaml", 3, "step 1", 5)
    wrong = LoopInvalid("100 % wrong:\nno, twice.", advice="Write it.", place=place, code=Code.TRIGGER)
    notice = Notice(Place("skene.yaml"), "It may surprise.", Code.ZONE)
    both = DocumentErrors([wrong, LoopInvalid("Where?", place=Place(str(root / "loops" / "ü.yaml"), 1))])
    return [one for found in (both, notice, StoreUnavailable("It is away.")) for one in Finding.of(found)]


def test_sarif_is_what_its_schema_says(tmp_path: Path) -> None:
    text = to_sarif(some(tmp_path), tmp_path / "growth", {"GITHUB_WORKSPACE": str(tmp_path)})

    Sarif.model_validate_json(text)
    (run_,) = json.loads(text)["runs"]
    first, _, notice, last = run_["results"]
    assert first == {
        "ruleId": "SK302",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": "100 % wrong:\nno, twice. Write it."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "growth/loops/a%20b.yaml"},
                    "region": {"startLine": 3, "startColumn": 5},
                }
            }
        ],
    }
    assert notice["level"] == "note"
    assert notice["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "growth/skene.yaml"}}}]
    assert "locations" not in last
    rules = run_["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in run_["results"]] == [one["ruleId"] for one in run_["results"]]


def test_the_schema_of_sarif_would_notice_a_mistake(tmp_path: Path) -> None:
    said = json.loads(to_sarif(some(tmp_path), tmp_path, {}))
    said["runs"][0]["results"][0]["levle"] = "error"

    with pytest.raises(ValueError, match="levle"):
        Sarif.model_validate(said)


def test_a_log_of_nothing_is_sarif_too(tmp_path: Path) -> None:
    write(tmp_path, PUBLIC)

    Sarif.model_validate_json(run(tmp_path, "--format", "sarif").stdout)


def test_an_annotation_is_one_line_of_githubs(tmp_path: Path) -> None:
    first, _, notice, last = to_github(some(tmp_path), tmp_path, {"GITHUB_WORKSPACE": str(tmp_path)}).splitlines()

    assert first == (
        "::error file=loops/a b.yaml,line=3,col=5,title=SK302 A trigger cannot work::"
        "100 %25 wrong:%0Ano, twice. Write it."
    )
    assert notice == "::notice file=skene.yaml,title=SK701 A time zone may be taken for another::It may surprise."
    assert last == "::error title=SK601 The database cannot be reached::It is away."


def test_a_code_is_unique_and_used() -> None:
    sources = "\n".join(file.read_text("utf-8") for file in sorted(PACKAGE.rglob("*.py")) if file.name != "codes.py")
    used = set(re.findall(r"\bCode\.([A-Z_]+)\b", sources))

    assert len({code.id for code in Code}) == len(Code)
    assert all(re.fullmatch(r"SK[0-9]{3}", code.id) for code in Code)
    assert sorted(code.id for code in Code) == [code.id for code in Code]
    assert {code.name for code in Code} == used
