"""What a YAML file says, and what is said of a value that the format does not know."""

import math
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from skene_dagster import yaml_document
from skene_dagster.documents import Document, Spec, in_words, nearest, one_of, parse, shown, together
from skene_dagster.durations import duration, duration_text
from skene_dagster.errors import DocumentErrors, LoopInvalid, LoopSyntaxError, Place, SettingsError
from skene_dagster.loops.model import Loop
from skene_dagster.loops.planning.user_tests import plan_mailable
from skene_dagster.settings import ProjectFile, load
from skene_dagster.yaml_document import parse_yaml

LOOP = """\
type: retention
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition:
      type: query
      query: SELECT id FROM users
    action:
      type: email
      template: hello
recovery:
  retries: 3
"""


def read(text: str) -> Document:
    return parse_yaml(text, "loops/x.yaml", LoopSyntaxError)


def refused(text: str) -> str:
    with pytest.raises(LoopSyntaxError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("no", "no", id="no is a word"),
        pytest.param("on", "on", id="on is a word"),
        pytest.param("y", "y", id="y is a word"),
        pytest.param("tRUE", "tRUE", id="a boolean is spelt in three ways only"),
        pytest.param("true", True, id="true"),
        pytest.param("False", False, id="False"),
        pytest.param("12:30", "12:30", id="a time is no number to the base of 60"),
        pytest.param("2026-01-01", "2026-01-01", id="a date is a text"),
        pytest.param("2026-01-01 10:00:00", "2026-01-01 10:00:00", id="a moment is a text"),
        pytest.param("1_000", "1_000", id="underscores make a text"),
        pytest.param("0 9 * * *", "0 9 * * *", id="a cron expression needs no quotes"),
        pytest.param("10%", "10%", id="a share needs no quotes"),
        pytest.param("012", 12, id="a leading zero is no octal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("+5", 5, id="plus five"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param(".5", 0.5, id="a half"),
        pytest.param("-.INF", -math.inf, id="minus infinity"),
        pytest.param("~", None, id="null as a tilde"),
        pytest.param("", None, id="nothing"),
        pytest.param("!!str 5", "5", id="a five that is said to be a text"),
        pytest.param("'5'", "5", id="a five in quotes"),
        pytest.param('"\\u263a"', "\u263a", id="an escaped character"),
        pytest.param("Null", None, id="Null"),
        pytest.param("nULL", "nULL", id="null is spelt in three ways only"),
        pytest.param("TRUE", True, id="TRUE"),
        pytest.param("false", False, id="false"),
        pytest.param("0o8", "0o8", id="no octal"),
        pytest.param("0xG", "0xG", id="no hexadecimal"),
        pytest.param("-0o7", "-0o7", id="an octal has no sign"),
        pytest.param("-12", -12, id="minus twelve"),
        pytest.param("1.", 1.0, id="a point at the end"),
        pytest.param("+.5e-1", 0.05, id="a point, a sign and an exponent"),
        pytest.param(".inf", math.inf, id="infinity"),
        pytest.param("inf", "inf", id="infinity without a point is a word"),
        pytest.param("1e308", 1e308, id="the largest power of ten"),
        pytest.param("9223372036854775807", 2**63 - 1, id="the largest whole number"),
        pytest.param("-9223372036854775807", 1 - 2**63, id="the smallest whole number"),
        pytest.param("0x7fffffffffffffff", 2**63 - 1, id="the largest in hexadecimal"),
        pytest.param("0" * 29 + "7", 7, id="thirty digits"),
        pytest.param("!!float 5", 5.0, id="a five that is said to have a point"),
        pytest.param("!!int '5'", 5, id="a five in quotes that is said to be a number"),
        pytest.param("!!bool 'true'", True, id="a word in quotes that is said to be a boolean"),
        pytest.param("!!null 'x'", None, id="a word that is said to be nothing"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    assert read(f"a: {text}\n").data == {"a": value}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("9223372036854775808", id="one more than the largest"),
        pytest.param("-9223372036854775808", id="one less than the smallest"),
        pytest.param("0x8000000000000000", id="in hexadecimal"),
        pytest.param("0" * 30 + "7", id="more than thirty digits"),
        pytest.param("1e309", id="too large a power of ten"),
        pytest.param("-1e309", id="below nothing"),
    ],
)
def test_a_number_that_no_database_can_hold_is_refused(text: str) -> None:
    assert refused(f"b: 1\na: {text}\n") == (
        f"loops/x.yaml:2\n  '{text}' is out of range. Write a number that a database can hold."
    )


def test_a_field_may_be_called_like_a_merge_key_in_quotes() -> None:
    assert read("'<<': {a: 1}\n").data == {"<<": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(f"b: 1\na: {'[' * 20}{']' * 20}", None, id="twenty lists"),
        pytest.param(f"b: 1\na: {'[' * 21}{']' * 21}", 2, id="one more"),
        pytest.param(f"b: 1\na: {'[' * 19}5{']' * 19}", None, id="a number in nineteen lists"),
        pytest.param(f"b: &b {'[' * 12}{']' * 12}\na: {'[' * 8}*b{']' * 8}", None, id="twenty, by an alias"),
        pytest.param(f"b: &b {'[' * 12}{']' * 12}\na: {'[' * 9}*b{']' * 9}", 1, id="one more, by an alias"),
    ],
)
def test_values_are_nested_twenty_deep_at_most(text: str, line: int | None) -> None:
    if line is None:
        read(text)
    else:
        assert refused(text) == f"loops/x.yaml:{line}\n  The YAML cannot be read: the values are nested too deeply."


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        pytest.param("a: [1, 2, 3, 4, 5, 6, 7, 8]", True, id="a list"),
        pytest.param("a: [1, 2, 3, 4, 5, 6, 7, 8, 9]", False, id="a longer list"),
        pytest.param("".join(f"a{n}: 1\n" for n in range(9)), True, id="fields"),
        pytest.param("".join(f"a{n}: 1\n" for n in range(10)), False, id="more fields"),
        pytest.param("a: &a [1, 2, 3]\nb: *a\nc: 1", True, id="a list twice"),
        pytest.param("a: &a [1, 2, 3]\nb: *a\nc: 1\nd: 1", False, id="a list twice, and another value"),
    ],
)
def test_each_value_of_a_file_counts_as_often_as_it_is_referred_to(
    text: str, monkeypatch: pytest.MonkeyPatch, *, is_read: bool
) -> None:
    monkeypatch.setattr(yaml_document, "MOST_VALUES", 10)

    if is_read:
        read(text)
    else:
        assert "more than 10,000 values" in refused(text)


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "null\n", "---\n"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert read(text).data == {}


def test_an_alias_stands_for_the_value_that_it_names() -> None:
    document = read("a: &wait {for: 5d}\nb: *wait\n")

    assert document.data == {"a": {"for": "5d"}, "b": {"for": "5d"}}
    assert document.place(("b",)).line == 2


def test_every_value_has_its_line() -> None:
    document = read(LOOP)

    assert document.place(("steps", 0, "condition", "query")).line == 6
    assert str(document.place(("steps", 0, "action", "template"))) == "loops/x.yaml:9  step 1, action.template"
    assert document.place(("steps", 0, "action", "repeat")).line == 7


def test_a_text_in_a_block_begins_below_its_name() -> None:
    document = read("query: |\n  SELECT id\n  FROM users\nother: x\n")

    assert document.place(("query",)).line == 1
    assert document.text_place(("query",)).line == 2
    assert document.text_place(("other",)).line == 4


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("query: &q\n  SELECT id\n  FROM users\n", ((0, 2), (10, 3)), id="below an anchor"),
        pytest.param(
            "query: !!str &q\n  'SELECT id\n  FROM users'\n", ((0, 2), (10, 3)), id="below a tag and an anchor"
        ),
        pytest.param("query: >\n  SELECT id\n  FROM users\n\nother: x\n", ((0, 2), (10, 3)), id="folded"),
        pytest.param("query: >-\n\n  SELECT id\n", ((0, 3),), id="folded, behind an empty line"),
        pytest.param('a: 1\nquery: " SELECT\\tid "\n', ((0, 2),), id="on one line"),
        pytest.param("a: 1\nquery: ''\n", ((0, 2),), id="empty"),
    ],
)
def test_the_lines_of_a_text_are_those_where_it_stands(text: str, lines: tuple[tuple[int, int], ...]) -> None:
    found = read(text).text_lines(("query",))

    assert found is not None
    assert (found.known, found.starts) == (True, lines)


def test_a_text_that_begins_with_an_empty_line_begins_there() -> None:
    document = read("query: |\n\n  SELECT id\n")

    assert document.text_place(("query",)).line == 2


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        pytest.param("steps:\n  - renamedFrom: x", ("steps", 0, "renamed_from"), ":2  step 1, renamedFrom", id="camel"),
        pytest.param("a: 1\nrenamed_from: x", ("renamed_from",), ":2  renamed_from", id="snake"),
        pytest.param("a: 1", ("renamed_from",), ":1  renamed_from", id="a name that is missing"),
        pytest.param("a: 1\nsteps: {}", ("steps", 0), ":2  step 1", id="a number in a mapping"),
        pytest.param("a: 1\ngoal: 5", ("goal", "returns_within"), ":2  goal.returns_within", id="within a number"),
        pytest.param("goal: itsReturnsWithin", ("goal", "returns_within"), ":1  goal.returns_within", id="in a text"),
        pytest.param("goal: [returnsWithin]", ("goal", "returns_within"), ":1  goal.returns_within", id="in a list"),
        pytest.param(
            "\nreturnsWithin: x",
            ("goal", "returns_within"),
            ":2  goal.returns_within",
            id="a name that stands elsewhere",
        ),
        pytest.param("steps:\n  - a: 1", ("steps", 5), ":1  step 6", id="beyond a list's end"),
    ],
)
def test_a_place_is_found_in_either_spelling(text: str, path: tuple[str | int, ...], place: str) -> None:
    assert str(read(text + "\n").place(path)) == f"loops/x.yaml{place}"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("a: 1\na: 2", 2, "'a' appears twice. Keep one.", id="a field twice"),
        pytest.param('"a": 1\nb: 2\na: 2', 3, "'a' appears twice", id="a field twice, once in quotes"),
        pytest.param("- a", 1, "The file is not a mapping", id="a list"),
        pytest.param("retention", 1, "The file is not a mapping", id="a word"),
        pytest.param("---\na: 1\n---\nb: 2", 4, "A second document begins here", id="two documents"),
        pytest.param("a: &x [*x]", 1, "contains itself", id="a list in itself"),
        pytest.param("a: 1\nb: &x {c: *x}", 2, "contains itself", id="a mapping in itself"),
        pytest.param("a: *nope", 1, "the alias names nothing", id="an alias of nothing"),
        pytest.param("a: !foo 1", 1, "The tag !foo means nothing here", id="a custom tag"),
        pytest.param("a: !foo {b: 1}", 1, "The tag !foo", id="a custom tag of a mapping"),
        pytest.param("a: !!python/object:os.system x", 1, "The tag !!python/object:os.system", id="a Python object"),
        pytest.param("a: !!binary aGk=", 1, "The tag !!binary", id="binary"),
        pytest.param("a: !!int x", 1, "'x' is not a valid 'int'", id="a number that is none"),
        pytest.param("a:\n\tb: 1", 2, "a tab is used for indentation. Use spaces.", id="a tab"),
        pytest.param("a: b: c", 1, "a string with ': ' needs quotes", id="a colon in a text"),
        pytest.param("a: 1\n b: 2", 2, "Check the indentation", id="a line too far in"),
        pytest.param("a: 1\nb: [1, 2", 2, "what begins here is never closed", id="an open list"),
        pytest.param('a: 1\nb: "x\nc: 1', 2, "what begins here is never closed", id="an open text"),
        pytest.param("a: 'it's'", 1, "Check the indentation and the quotes", id="a quote inside quotes"),
        pytest.param(
            "a: {{user.name}}",
            1,
            "A string that begins with {{ is a mapping unless it is quoted",
            id="an expression without quotes",
        ),
        pytest.param("a: 1\nb:\n  - c\n  d: 1", 4, "the line fits nowhere", id="a field among items"),
        pytest.param("a:\n  - b\n c: 1", 3, "the line fits nowhere", id="a field that is indented by itself"),
        pytest.param("a: @x", 1, "Put the text in quotes", id="an at sign first"),
        pytest.param("1: 2", 1, "A field's name must be a string. Put it in quotes.", id="a number as a name"),
        pytest.param("? [1]\n: 2", 1, "A field's name must be a string", id="a list as a name"),
        pytest.param("x: &b {a: 1}\ny:\n  <<: *b", 3, "'<<' (merging) is not YAML 1.2", id="a merge key"),
        pytest.param("a: 1\nb: \x07", 2, "The character U+0007 is not allowed in YAML", id="a bell"),
        pytest.param('a: "\\ud83d"', 1, "half a character", id="half a character"),
        pytest.param("a: " + "[" * 600, 1, "nested too deeply", id="six hundred brackets"),
        pytest.param("a: " + "[" * 3000, 1, "nested too deeply", id="three thousand brackets"),
        pytest.param("[]", 1, "The file is not a mapping", id="an empty list"),
        pytest.param("false", 1, "The file is not a mapping", id="false"),
        pytest.param("a: 1\nb: !!set {x}", 2, "The tag !!set means nothing here. Leave it out.", id="a set"),
        pytest.param(
            "a: !!str {b: 1}", 1, "The tag !!str means nothing here", id="a mapping that is said to be a text"
        ),
        pytest.param("a: !!map x", 1, "The tag !!map means nothing here", id="a text that is said to be a mapping"),
        pytest.param("a: 1\n~: 2", 2, "A field's name must be a string", id="nothing as a name"),
        pytest.param("? a: 1\n: 2", 1, "A field's name must be a string", id="a mapping as a name"),
        pytest.param(
            'a: 1\nb: "\\U00110000"', 2, "There is no such character or number. Correct it.", id="no character"
        ),
        pytest.param("a: 1\nb: x\u2028y", 2, "The character U+2028 is not allowed in YAML", id="a hidden line end"),
        pytest.param("a: 1\nb\nc: 2", 2, "a field has no ':'. Write `name: value`.", id="no colon"),
    ],
)
def test_yaml_that_cannot_be_read_is_refused_with_its_line(text: str, line: int | None, message: str) -> None:
    place, _, rest = refused(text).partition("\n")

    assert place == ("loops/x.yaml" if line is None else f"loops/x.yaml:{line}")
    assert message in rest


def test_ten_lines_that_mean_a_billion_values_are_refused() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )

    assert "more than 10,000 values" in refused(laughs)


# Every kind of error that pydantic finds with our models: what is replaced in LOOP by what, the line, the words.
FAULTS = [
    pytest.param(
        "  retries: 3",
        "  retires: 3",
        "loops/x.yaml:11  recovery.retires",
        "'retires' is not a field here. Use one of: retries, backoff, delay. Did you mean 'retries'?",
        id="unknown field",
    ),
    pytest.param(
        "cron: 0 9",
        "crno: 0 9",
        "loops/x.yaml:3  step 1, trigger.cron",
        "'cron' is missing. Add it.",
        id="missing field",
    ),
    pytest.param(
        "  retries: 3",
        "  backoff: exponental",
        "loops/x.yaml:11  recovery.backoff",
        "'exponental' is not a backoff. Use one of: none, linear, exponential. Did you mean 'exponential'?",
        id="unknown value",
    ),
    pytest.param(
        "type: email",
        "type: email\n      provider: smpt",
        "loops/x.yaml:9  step 1, action.provider",
        "'smpt' is not a provider. Use one of: resend, smtp. Did you mean 'smtp'?",
        id="unknown provider",
    ),
    pytest.param(
        "type: email",
        "type: emial",
        "loops/x.yaml:8  step 1, action",
        "'emial' is not a type of action. Use one of: email, block. Did you mean 'email'?",
        id="unknown type of a part",
    ),
    pytest.param(
        "type: email",
        "type: [email]",
        "loops/x.yaml:8  step 1, action",
        "a list is not a type of action. Use one of: email, block.",
        id="a list for a type",
    ),
    pytest.param(
        "      type: query\n",
        "",
        "loops/x.yaml:4  step 1, condition",
        "'condition' needs a 'type'. Use one of: query, level, feature, milestone, usage.",
        id="no type",
    ),
    pytest.param(
        "template: hello",
        "template: 5",
        "loops/x.yaml:9  step 1, action.template",
        "template takes a string, not 5. Put it in quotes.",
        id="a number for a text",
    ),
    pytest.param(
        "template: hello",
        "template: [a]",
        "loops/x.yaml:9  step 1, action.template",
        "template takes a string, not a list.",
        id="a list for a text",
    ),
    pytest.param(
        "template: hello",
        "template: ''",
        "loops/x.yaml:9  step 1, action.template",
        "'template' is empty.",
        id="an empty text",
    ),
    pytest.param(
        "  retries: 3",
        "  retries: 2.5",
        "loops/x.yaml:11  recovery.retries",
        "retries takes a whole number, not 2.5.",
        id="a fraction for a whole number",
    ),
    pytest.param(
        "  retries: 3",
        "  retries: '3'",
        "loops/x.yaml:11  recovery.retries",
        "retries takes a whole number, not '3'.",
        id="a text for a whole number",
    ),
    pytest.param(
        "  retries: 3",
        "  retries: true",
        "loops/x.yaml:11  recovery.retries",
        "retries takes a whole number, not true.",
        id="a boolean for a whole number",
    ),
    pytest.param(
        "  retries: 3",
        "  retries: -1",
        "loops/x.yaml:11  recovery.retries",
        "retries must be at least 0, not -1.",
        id="too small",
    ),
    pytest.param(
        "  retries: 3",
        "  retries: 21",
        "loops/x.yaml:11  recovery.retries",
        "retries must be at most 20, not 21.",
        id="too large",
    ),
    pytest.param(
        "template: hello",
        "template: hello\n      transactional: 'yes'",
        "loops/x.yaml:10  step 1, action.transactional",
        "transactional takes true or false, not 'yes'.",
        id="a word for a boolean",
    ),
    pytest.param(
        "template: hello",
        "template: hello\n      personalization: [name]",
        "loops/x.yaml:10  step 1, action.personalization",
        "personalization takes a mapping, not a list.",
        id="a list for the author's own mapping",
    ),
    pytest.param(
        "template: hello",
        "template: hello\n      personalization: {a: x, b: 5}",
        "loops/x.yaml:10  step 1, action.personalization.b",
        "b takes a string, not 5. Put it in quotes.",
        id="a number among texts",
    ),
    pytest.param(
        "template: hello",
        "template: hello\n      set: {mailed: [1]}",
        "loops/x.yaml:10  step 1, action.set.mailed",
        "A column takes a string, a number, true, false or null, not a list.",
        id="a list for a column",
    ),
    pytest.param(
        "template: hello",
        "template: hello\n      set: {mailed: .nan}",
        "loops/x.yaml:10  step 1, action.set.mailed",
        "A column takes a string, a number, true, false or null, not nan.",
        id="no number for a column",
    ),
    pytest.param(
        "template: hello",
        "template: hello\n      repeat: daily",
        "loops/x.yaml:10  step 1, action.repeat",
        "'daily' is not a duration. Write a number and a unit: 30s, 10m, 5h, 7d or 2w; or `once`; or `every_entry`.",
        id="no repeat",
    ),
    pytest.param(
        "  retries: 3",
        "  delay: 30",
        "loops/x.yaml:11  recovery.delay",
        "30 is not a duration. Write a number and a unit: 30s, 10m, 5h, 7d or 2w.",
        id="a number for a duration",
    ),
    pytest.param(
        "type: retention",
        "type: retention\nholdout: 10",
        "loops/x.yaml:2  holdout",
        "10 is not a share below the whole. Write it as 10% or 0.1.",
        id="more than a whole",
    ),
    pytest.param(
        "recovery:\n  retries: 3",
        "recovery: 3",
        "loops/x.yaml:10  recovery",
        "recovery takes a mapping, not 3.",
        id="a number for a part",
    ),
    pytest.param(
        "trigger: {type: schedule, cron: 0 9 * * *}",
        "trigger: daily",
        "loops/x.yaml:3  step 1, trigger",
        "trigger takes a mapping, not 'daily'.",
        id="a text for a part with kinds",
    ),
    pytest.param(
        LOOP,
        "type: retention\nsteps: {}\n",
        "loops/x.yaml:2  steps",
        "steps takes a list, not a mapping.",
        id="a mapping for a list",
    ),
    pytest.param(LOOP, "type: retention\nsteps: []\n", "loops/x.yaml:2  steps", "'steps' is empty.", id="no step"),
    pytest.param(
        LOOP,
        "type: retention\nsteps:\n  - 5\n",
        "loops/x.yaml:3  step 1",
        "step 1 takes a mapping, not 5.",
        id="a number for a step",
    ),
    pytest.param(
        "  - trigger:",
        "  - renamedFrom: a\n    renamed_from: b\n    trigger:",
        "loops/x.yaml:4  step 1, renamed_from",
        "'renamedFrom' and 'renamed_from' are two spellings of the same field. Keep one.",
        id="both spellings",
    ),
    pytest.param(
        "condition:\n      type: query\n      query: SELECT id FROM users",
        "condition: {type: level, is: sleepy}",
        "loops/x.yaml:4  step 1, condition.is",
        "'sleepy' is not an is. Use one of: new, active, power, slipping, dormant, resurrected.",
        id="a level that there is not",
    ),
    pytest.param(
        "condition:\n      type: query\n      query: SELECT id FROM users",
        "condition: {type: usage, period: 30d, limit: {free: lots}}",
        "loops/x.yaml:4  step 1, condition.limit.free",
        "free takes a number, not 'lots'.",
        id="a text for a number",
    ),
    pytest.param(
        "trigger: {type: schedule, cron: 0 9 * * *}",
        "trigger: {type: schedule, schedule: 5, cron: 0 9 * * *}",
        "loops/x.yaml:3  step 1, trigger.schedule",
        "'schedule' is not a field here. Use one of: type, cron, timezone.",
        id="an unknown field that is called like a type",
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), FAULTS)
def test_a_fault_is_said_in_the_words_of_the_file(old: str, new: str, place: str, words: str) -> None:
    assert old in LOOP
    document = read(LOOP.replace(old, new))

    with pytest.raises((LoopInvalid, DocumentErrors)) as caught:
        parse(Loop, document, LoopInvalid)

    assert f"{place}\n  {words}" in [str(error) for error in caught.value.errors]


def test_all_faults_of_a_file_are_said_in_its_order() -> None:
    document = read(LOOP.replace("retries: 3", "retries: x").replace("template", "templte"))

    with pytest.raises(DocumentErrors) as caught:
        parse(Loop, document, LoopInvalid)

    assert [error.place.line for error in caught.value.errors if error.place] == [7, 9, 11]
    assert str(caught.value).startswith("loops/x.yaml:7  step 1, action.template\n  'template' is missing.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("limits: {collapse: 2}", "collapse must be at most 1.0, not 2.", id="at most"),
        pytest.param("limits: {collapse: 0}", "collapse must be more than 0.0, not 0.", id="more than"),
        pytest.param("limits: {collapse: .nan}", "collapse must be at most 1.0, not nan.", id="not a number"),
        pytest.param("users: {table: a b}", "'a b' is not a name of a table or column.", id="identifier"),
        pytest.param(
            "milestones: {streak: {title: Streak, streak: 3, since: 7}}",
            "7 is not a date. Write it as 2026-03-01.",
            id="a date",
        ),
        pytest.param("sender: {form: a@example.com}", "Did you mean 'from'?", id="a field called like a Python word"),
        pytest.param(
            "features: {Export: {title: Export, events: [export]}}",
            "features.Export\n  'Export' is not a short name.",
            id="an entry's name",
        ),
        pytest.param(
            "features: {export: {title: Export, evens: [export]}}",
            "features.export.evens\n  'evens' is not a field here. Use one of: title, events, sql, summary,",
            id="a field of an entry",
        ),
        pytest.param(
            "features: {export: {title: Export, events: [export], guide: [{title: Go, txt: x}]}}",
            "'txt' is not a field here. Use one of: title, text, code, link. Did you mean 'text'?",
            id="a field of a part in a list of an entry",
        ),
        pytest.param(
            "features: {export: {title: Export, events: [5]}}",
            "features.export.events.0\n  events.0 takes a string, not 5. Put it in quotes.",
            id="an item of a list",
        ),
        pytest.param(
            f"features: {{export: {{title: {'x' * 129}, events: [export]}}}}",
            "'title' is longer than 128 characters.",
            id="a text that is too long",
        ),
    ],
)
def test_the_settings_are_refused_in_the_same_words(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(ProjectFile, parse_yaml(text, "skene.yaml", SettingsError), SettingsError)

    assert str(caught.value).startswith("skene.yaml:1  ")
    assert words in str(caught.value)


def test_a_file_that_is_no_mapping_is_refused_in_words() -> None:
    with pytest.raises(LoopInvalid) as caught:
        parse(Loop, Document("loops/x.yaml", 5), LoopInvalid)

    assert str(caught.value) == "loops/x.yaml\n  the file takes a mapping, not 5."


class Shop(Spec):
    opens: time


def test_a_kind_of_value_that_no_file_of_ours_has_yet_is_refused_in_its_checkers_words() -> None:
    with pytest.raises(SettingsError, match=r"opens cannot be 5: .+\."):
        parse(Shop, Document("shop.yaml", {"opens": 5}), SettingsError)


def fault(number: int, file: str = "a.yaml", line: int | None = None) -> LoopInvalid:
    return LoopInvalid(f"Fault {number}.", place=Place(file, line))


def test_several_errors_are_told_by_file_and_line_and_first_what_is_of_a_whole_file() -> None:
    nowhere = LoopInvalid("Fault 0.")
    order = [
        nowhere,
        fault(1),
        fault(2, line=1),
        fault(3, line=9),
        fault(4, line=10),
        fault(5, "b.yaml"),
        fault(6, "c"),
    ]

    assert list(together(reversed(order)).errors) == order
    assert list(together([order[2], order[1]]).errors) == [order[1], order[2]]


@pytest.mark.parametrize(
    ("found", "more", "told"),
    [
        pytest.param(1, 0, ["Fault 1."], id="one"),
        pytest.param(1, 1, ["Fault 1.", "There are 1 more errors."], id="one, and another that nobody named"),
        pytest.param(20, 0, [f"Fault {n}." for n in range(1, 21)], id="twenty"),
        pytest.param(
            21, 0, [*(f"Fault {n}." for n in range(1, 21)), "There are 1 more errors."], id="one more than twenty"
        ),
        pytest.param(
            25, 1_000, [*(f"Fault {n}." for n in range(1, 21)), "There are 1,005 more errors."], id="many more"
        ),
    ],
)
def test_twenty_errors_are_told_and_the_others_are_counted(found: int, more: int, told: list[str]) -> None:
    raised = together([fault(n, line=n) for n in range(1, found + 1)], more=more)

    assert [error.message for error in raised.errors] == told
    assert isinstance(raised, LoopInvalid) == (len(told) == 1)


def test_what_is_counted_stands_in_the_file_of_the_last_that_is_told() -> None:
    found = [*(fault(n, line=n) for n in range(1, 20)), fault(20, "b.yaml", 3), fault(21, "c.yaml")]

    assert together(found).errors[-1].place == Place("b.yaml")
    assert together([LoopInvalid("Fault 1.")], more=1).errors[-1].place is None


def test_a_file_with_more_than_twenty_errors_has_the_others_counted() -> None:
    wrong = "".join(f"x{n}: 1\n" for n in range(30))

    with pytest.raises(DocumentErrors) as caught:
        parse(Loop, read(LOOP + wrong), LoopInvalid)

    assert len(caught.value.errors) == 21
    assert caught.value.errors[-1].message == "There are 10 more errors."


CHOICES = [f"choice{n:02}" for n in range(1, 18)]


@pytest.mark.parametrize(
    ("given", "choices", "advice"),
    [
        pytest.param("nope", ["a", "b"], "Use one of: a, b.", id="nothing near"),
        pytest.param("adi", ["ada", "adam"], "Use one of: ada, adam. Did you mean 'ada'?", id="the nearest only"),
        pytest.param(5, ["5", "6"], "Use one of: 5, 6.", id="a number is near nothing"),
        pytest.param(
            "choice011",
            CHOICES[:16],
            f"Use one of: {', '.join(CHOICES[:16])}. Did you mean 'choice11'?",
            id="sixteen are shown",
        ),
        pytest.param("choice011", CHOICES, "Did you mean 'choice11'?", id="of seventeen only the near one"),
        pytest.param("nope", CHOICES, f"Use one of: {', '.join(CHOICES)}.", id="seventeen where none is near"),
    ],
)
def test_the_possible_values_are_advised_and_the_one_that_was_meant(
    given: object, choices: list[str], advice: str
) -> None:
    assert one_of(given, choices) == advice


def test_a_long_text_is_near_to_nothing() -> None:
    assert nearest("x" * 80, ["x" * 79]) == ["x" * 79]
    assert nearest("x" * 81, ["x" * 80]) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("x" * 80, f"'{'x' * 80}'", id="eighty characters"),
        pytest.param("x" * 81, f"'{'x' * 80}'…", id="one more"),
        pytest.param(10**80 - 1, "9" * 80, id="eighty digits"),
        pytest.param(10**80, "a number of more than 80 digits", id="one digit more"),
        pytest.param(-(10**80), "a number of more than 80 digits", id="less than nothing"),
        pytest.param(1e300, "1e+300", id="a large number with a point"),
        pytest.param(None, "nothing", id="nothing"),
        pytest.param(False, "false", id="false"),
    ],
)
def test_a_value_is_shown_in_the_words_of_a_file_and_shortened(value: object, words: str) -> None:
    assert shown(value) == words


def test_fields_are_suggested_in_camel_case_to_those_who_write_typescript() -> None:
    document = Document("loops/x.ts", {"type": "retention", "steps": [], "goal": {"returnsWihtin": "1d"}})

    with pytest.raises(DocumentErrors, match="Did you mean 'returnsWithin'"):
        parse(Loop, document, LoopInvalid)


def test_a_whole_number_is_taken_for_any_number() -> None:
    assert parse(ProjectFile, Document("skene.yaml", {"limits": {"explosion": 4}}), SettingsError).limits.explosion == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("30s", timedelta(seconds=30), id="seconds"),
        pytest.param("10m", timedelta(minutes=10), id="minutes"),
        pytest.param("5 h", timedelta(hours=5), id="hours, with a space"),
        pytest.param("7d", timedelta(days=7), id="days"),
        pytest.param("2w", timedelta(days=14), id="weeks"),
        pytest.param("3650d", timedelta(days=3650), id="ten years"),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, value: timedelta) -> None:
    assert duration(text) == value


@pytest.mark.parametrize(
    "text", ["0s", "3651d", "999999999w", "-5m", "5", "5 days", "1.5h", "5M", "\u0665m", "", 5, True, None, [], "5m\n"]
)
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(30, "30s"), (90, "90s"), (600, "10m"), (86400, "1d"), (14 * 86400, "14d"), (90000, "25h")]
)
def test_a_duration_is_written_with_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ((), ""),
        (("steps", 0), "step 1"),
        (("steps", 1, "condition", "query"), "step 2, condition.query"),
        (("recovery", "backoff"), "recovery.backoff"),
        (("steps",), "steps"),
        (("steps", "x"), "steps.x"),
        (("links", 0), "links.0"),
        (("x" * 80,), "x" * 80),
        (("x" * 81,), "x" * 80 + "…"),
    ],
)
def test_a_path_is_named_as_its_author_would(path: tuple[str | int, ...], words: str) -> None:
    assert in_words(path) == words


@pytest.mark.parametrize(("kept", "is_enough"), [("40d", True), ("39d", False)])
def test_what_an_email_needs_is_kept_twice_as_long_as_anything_waits(
    tmp_path: Path, kept: str, is_enough: bool
) -> None:
    (tmp_path / "skene.yaml").write_text(
        f"limits: {{expires_after: 20d}}\nretention: {{payloads: {kept}}}\n", encoding="utf-8"
    )

    if is_enough:
        assert load(tmp_path, {}).retention.payloads == timedelta(days=40)
    else:
        with pytest.raises(SettingsError, match="Keep them for 40d at least"):
            load(tmp_path, {})


def test_sql_that_is_empty_is_told_at_the_line_on_which_it_should_stand() -> None:
    document = parse_yaml("users:\n  mailable: ''\n", "skene.yaml", SettingsError)
    users = parse(ProjectFile, document, SettingsError).users

    with pytest.raises(SettingsError, match=r"^skene\.yaml:2 .*\n  The SQL is empty"):
        plan_mailable(users, document)
