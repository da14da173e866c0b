"""skene.config.ts is read, never executed: what it says is taken as written, what it computes is refused."""

import math
from pathlib import Path

import pytest

from skene_dagster.documents import Document
from skene_dagster.errors import LoopSyntaxError
from skene_dagster.loops.files import typescript
from skene_dagster.loops.files.typescript import parse_typescript

ROOT = Path(__file__).parents[2]
COMPUTED = "is computed. A loop file is read without being executed: write the value itself."


def read(text: str) -> Document:
    return parse_typescript(text, "loops/x.ts")


def refused(text: str) -> tuple[str, str]:
    with pytest.raises(LoopSyntaxError) as caught:
        read(text)
    place, _, words = str(caught.value).partition("\n")
    return place, words


def loop(value: str) -> str:
    return f"import {{ defineLoop }} from '@skene/sdk';\n\nexport default defineLoop({{\n  a: {value}\n}});\n"


def test_the_page_s_file_is_read_as_it_stands() -> None:
    document = parse_typescript((ROOT / "loops/skene.config.ts").read_text(encoding="utf-8"), "loops/skene.config.ts")

    assert document.data["steps"][0]["trigger"] == {"type": "schedule", "cron": "0 9 * * *"}
    assert document.data["recovery"] == {"retries": 3, "backoff": "exponential"}
    assert str(document.place(("steps", 0, "condition", "query"))).startswith("loops/skene.config.ts:15  step 1,")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("'a'", "a", id="single quotes"),
        pytest.param('"it\'s"', "it's", id="double quotes"),
        pytest.param("`a\n  b`", "a\n  b", id="template of two lines"),
        pytest.param("`a\r\nb`", "a\nb", id="template with Windows line ends"),
        pytest.param(r"`\``", "`", id="escaped backtick"),
        pytest.param("'$1 and ${x}'", "$1 and ${x}", id="dollar in quotes"),
        pytest.param("`$1`", "$1", id="dollar in a template"),
        pytest.param(r"'it\'s\n\t\\'", "it's\n\t\\", id="plain escapes"),
        pytest.param(r"'\x41\u00e9'", "A\u00e9", id="escapes by number"),
        pytest.param(r"'\u{1F600}'", "\U0001f600", id="escape in braces"),
        pytest.param(r"'\ud83d\ude00'", "\U0001f600", id="escape as two halves"),
        pytest.param("'a\\\nb'", "ab", id="line continued"),
        pytest.param(r"'\/\$'", "/$", id="escape of what needs none"),
        pytest.param("''", "", id="empty text"),
        pytest.param("true", True, id="true"),
        pytest.param("false", False, id="false"),
        pytest.param("null", None, id="null"),
        pytest.param("5", 5, id="whole number"),
        pytest.param("5.0", 5, id="whole number with a point"),
        pytest.param("-1.5", -1.5, id="negative number"),
        pytest.param("+ 2", 2, id="plus"),
        pytest.param(".5", 0.5, id="half"),
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param("1_000", 1000, id="digits in groups"),
        pytest.param("0xF_F", 255, id="hexadecimal digits in groups"),
        pytest.param("-\n 2", -2, id="a sign on a line of its own"),
        pytest.param("0xFF", 255, id="hexadecimal"),
        pytest.param("-0b11", -3, id="binary"),
        pytest.param("Infinity", math.inf, id="infinity"),
        pytest.param("-Infinity", -math.inf, id="minus infinity"),
        pytest.param("[1, 'a', [],]", [1, "a", []], id="list with a comma at its end"),
        pytest.param("{b: 1, 'c-d': 2, \"e\": 3, 4: 5,}", {"b": 1, "c-d": 2, "e": 3, "4": 5}, id="names in quotes"),
        pytest.param("[1, /* one */ 2, // two\n 3]", [1, 2, 3], id="comments"),
        pytest.param("{b: /* before */ 1 /* after */}", {"b": 1}, id="comments around a value"),
        pytest.param("[1] as const", [1], id="as const"),
        pytest.param("{b: 'c' as Kind} satisfies Part", {"b": "c"}, id="satisfies"),
        pytest.param("('a')", "a", id="parentheses"),
        pytest.param("(('a'))", "a", id="two parentheses"),
        pytest.param("9007199254740991", 2**53 - 1, id="the last whole number that JavaScript knows"),
        pytest.param("9007199254740992", 2.0**53, id="the first that it does not"),
        pytest.param("-3.0", -3, id="a whole number below nothing"),
        pytest.param("0x7fffffffffffffff", 2**63 - 1, id="the largest in hexadecimal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("1e308", 1e308, id="the largest power of ten"),
        pytest.param("+Infinity", math.inf, id="plus infinity"),
        pytest.param("0", 0, id="nothing"),
        pytest.param(r"'a\0b'", "a\0b", id="a NUL"),
        pytest.param(r"'\u{e9}\x2f'", "é/", id="short escapes"),
        pytest.param("{'a b': 1, 'it\\'s': 2}", {"a b": 1, "it's": 2}, id="an escape in a name"),
    ],
)
def test_what_is_written_out_is_taken_as_javascript_means_it(written: str, value: object) -> None:
    data = read(loop(written)).data

    assert data == {"a": value}
    assert type(data["a"]) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "process.env.CRON",
        "cron",
        "undefined",
        "NaN",
        "make()",
        "new Date()",
        "`a ${b}`",
        "tag`a`",
        "'a' + 'b'",
        "1 + 1",
        "!true",
        "!1",
        "~1",
        "~Infinity",
        "typeof 1",
        "_1",
        "a_1",
        "-_1",
        "infinity",
        "-x",
        "- -1",
        "x ? 1 : 2",
        "() => 1",
        "function () {}",
        "/a/",
        "10n",
        "017",
        "await x",
        "'a'!",
        "[...x]",
        "{...x}",
        "{x}",
        "{[x]: 1}",
        "{x() {}}",
        "{get x() { return 1 }}",
    ],
)
def test_what_is_computed_is_refused_with_its_line(written: str) -> None:
    place, words = refused(loop(written))

    assert place.startswith("loops/x.ts:4  a")
    assert words.endswith(COMPUTED)


def test_a_computed_value_is_refused_in_the_author_s_words() -> None:
    text = "export default defineLoop({\n  steps: [\n    {\n      trigger: {\n        cron: process.env.CRON\n}}]});"

    assert refused(text) == ("loops/x.ts:5  step 1, trigger.cron", f"  `process.env.CRON` {COMPUTED}")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param(
            "", "loops/x.ts", "The file exports no loop. Write: export default defineLoop({ … });", id="empty"
        ),
        pytest.param("const cron = '0 9 * * *';\n" + loop("cron"), "loops/x.ts:1", "more than a loop", id="a constant"),
        pytest.param("import './setup';\n" + loop("1"), "loops/x.ts:1", "more than a loop", id="an import that acts"),
        pytest.param(loop("1") + "start();\n", "loops/x.ts:6", "`start();` is more than a loop", id="a call"),
        pytest.param(loop("1") + loop("1"), "loops/x.ts:8", "A second loop is exported here", id="two loops"),
        pytest.param("export const loop = defineLoop({});", "loops/x.ts:1", "more than a loop", id="a named export"),
        pytest.param("module.exports = {};", "loops/x.ts:1", "more than a loop", id="CommonJS"),
        pytest.param("export default {};", "loops/x.ts:1", "`{}` is not a loop", id="a bare object"),
        pytest.param("export default other({});", "loops/x.ts:1", "`other({})` is not a loop", id="another call"),
        pytest.param("export default defineLoop();", "loops/x.ts:1", "is not a loop", id="no argument"),
        pytest.param("export default defineLoop({}, {});", "loops/x.ts:1", "is not a loop", id="two arguments"),
        pytest.param("export default defineLoop([]);", "loops/x.ts:1", "is not a loop", id="a list"),
        pytest.param("export default async () => 1;", "loops/x.ts:1", "is not a loop", id="a function"),
        pytest.param(loop("{b: 1,\n 'b': 2}"), "loops/x.ts:5  a", "'b' appears twice. Keep one.", id="a name twice"),
        pytest.param(loop("[1,, 2]"), "loops/x.ts:4  a", "A value is missing before this comma", id="a gap in a list"),
        pytest.param(loop("[, 1]"), "loops/x.ts:4  a", "A value is missing before this comma", id="a comma first"),
        pytest.param(loop("[1, /* x */, 2]"), "loops/x.ts:4  a", "A value is missing", id="a comment for a value"),
        pytest.param(loop("1e999"), "loops/x.ts:4  a", "`1e999` is out of range. Write a number that", id="too large"),
        pytest.param(loop("-1e999"), "loops/x.ts:4  a", "`-1e999` is out of range", id="too far below nothing"),
        pytest.param(loop("0x8000000000000000"), "loops/x.ts:4  a", "is out of range", id="too large a hexadecimal"),
        pytest.param(loop(r"'\8'"), "loops/x.ts:4  a", "begins no character", id="a digit escaped"),
        pytest.param(loop(r"'\01'"), "loops/x.ts:4  a", "begins no character", id="a digit behind a NUL"),
        pytest.param(loop("`a\nb\\q`"), "loops/x.ts:5  a", r"drops the backslash of \q", id="an escape below"),
        pytest.param("export default defineLoop;", "loops/x.ts:1", "`defineLoop` is not a loop", id="no call"),
        pytest.param(loop("f(" + "x" * 57 + ")"), "loops/x.ts:4  a", f"`f({'x' * 57})` is", id="sixty characters"),
        pytest.param(loop("f(" + "x" * 58 + ")"), "loops/x.ts:4  a", f"`f({'x' * 58}…` is", id="one more"),
        pytest.param(loop("f(\n)"), "loops/x.ts:4  a", "`f(…` is", id="two lines"),
        pytest.param(loop("{b: 1,, c: 2}"), "loops/x.ts:4  a", "A value is missing", id="a gap in an object"),
        pytest.param(loop(r"'\ud83d'"), "loops/x.ts:4  a", "begins no character", id="half a character"),
        pytest.param(loop(r"'\101'"), "loops/x.ts:4  a", "begins no character", id="an octal escape"),
        pytest.param(loop(r"'\u{110000}'"), "loops/x.ts:4  a", "begins no character", id="no such character"),
        pytest.param(loop("'You've'"), "loops/x.ts:4", "There is a quote inside quotes: `a: 'You've'`", id="quotes"),
        pytest.param(loop('"You "have" it"'), "loops/x.ts:4", "There is a quote inside quotes", id="double quotes"),
        pytest.param(loop("'30d"), "loops/x.ts:4", "\"'\" is missing in `a: '30d`", id="an open text"),
        pytest.param(loop("1 b: 2"), "loops/x.ts:4", "missing comma", id="a missing comma"),
        pytest.param(loop("{ b: 'c' d: 'e' }"), "loops/x.ts:4", "missing comma", id="a missing comma between texts"),
        pytest.param(loop(""), "loops/x.ts:4", "A value is missing in `a:`", id="a missing value"),
        pytest.param(loop("1\n  # note"), "loops/x.ts:5", "`# note` cannot be read here", id="a comment of Python"),
        pytest.param("export default defineLoop({\n  a: 1\n", "loops/x.ts:1", "never closed", id="an open bracket"),
        pytest.param("hello world {{{", "loops/x.ts:1", "cannot be read here", id="no TypeScript"),
        pytest.param(loop("[" * 3000 + "]" * 3000), "loops/x.ts:4", "nested too deeply", id="three thousand brackets"),
    ],
)
def test_what_is_no_loop_is_refused_with_its_line(text: str, place: str, words: str) -> None:
    found = refused(text)

    assert found[0] == place
    assert words in found[1]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "#!/usr/bin/env node\nexport default defineLoop({a: 1})", id="first line for a shell, no semicolon"
        ),
        pytest.param("import type { Loop } from 'x';\nexport default defineLoop({a: 1}) satisfies Loop;", id="a type"),
        pytest.param("interface A {}\ntype B = A;;\nexport default (defineLoop<A>({a: 1}));", id="types declared"),
    ],
)
def test_what_only_concerns_types_is_passed_over(text: str) -> None:
    assert read(text).data == {"a": 1}


def test_every_value_has_its_line() -> None:
    document = read("export default defineLoop({\n  a: [\n    1,\n    {\n      b:\n        2}],\n  'c':\n 3})")

    places = [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",)]
    assert [document.place(path).line for path in places] == [1, 2, 3, 4, 5, 7]


@pytest.mark.parametrize("deep", [20, 21])
def test_values_are_nested_twenty_deep_at_most(deep: int) -> None:
    text = loop("[" * deep + "]" * deep)

    if deep == 20:
        read(text)
    else:
        assert refused(text) == ("loops/x.ts:4", "  The values are nested too deeply.")


@pytest.mark.parametrize("items", [8, 9])
def test_a_file_holds_so_many_values_at_most(items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typescript, "MOST_VALUES", 10)
    text = loop(f"[{'1, ' * items}]")

    if items == 8:
        assert read(text).data == {"a": [1] * 8}
    else:
        assert refused(text) == ("loops/x.ts:4", "  The file holds more than 10 values.")


def test_the_freemium_file_as_published_is_refused_with_what_to_do() -> None:
    file = "tests/loops/freemium_as_published.ts"

    with pytest.raises(LoopSyntaxError) as caught:
        parse_typescript((ROOT / file).read_text(encoding="utf-8"), file)

    assert str(caught.value) == (
        "tests/loops/freemium_as_published.ts:21\n"
        "  There is a quote inside quotes: `message: 'You've reached your free tier limit. Upgrade to continue.',`. "
        "Write \\' for a quote within single quotes, or put the text in double quotes."
    )


def test_nothing_in_the_file_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    file = tmp_path / "x.ts"
    file.write_text(f"export default defineLoop({{a: require('fs').writeFileSync('{mark}', '')}});", encoding="utf-8")

    with pytest.raises(LoopSyntaxError, match="is computed"):
        parse_typescript(file.read_text(encoding="utf-8"), "loops/x.ts")

    assert not mark.exists()
