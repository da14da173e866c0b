"""A condition runs as its author sees it: what a format joins, folds or unescapes is refused, or harmless."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skene_dagster.errors import LoopSyntaxError, Place, QueryRejected
from skene_dagster.loops.dialect import read_query
from skene_dagster.loops.files.python_file import run_python
from skene_dagster.loops.files.typescript import parse_typescript
from skene_dagster.loops.plan import Query
from skene_dagster.settings import Users
from skene_dagster.yaml_document import parse_yaml

Q = ("query",)


def read(name: str, text: str, folder: Path) -> Query:
    """Read the SQL of the field `query` of a file."""
    if name.endswith(".py"):
        head = "from textwrap import dedent\nfrom skene_dagster import define_loop\n"
        document = run_python(head + text, folder / name, name)
    elif name.endswith(".ts"):
        document = parse_typescript(text, name)
    else:
        document = parse_yaml(text, name, LoopSyntaxError)
    return read_query(document.data["query"], users=Users(), place=document.text_place(Q), lines=document.text_lines(Q))


def refusal(name: str, text: str, folder: Path) -> QueryRejected:
    with pytest.raises(QueryRejected) as caught:
        read(name, text, folder)
    return caught.value


SWALLOWED = [
    pytest.param("a.yaml", "query: >\n  SELECT id FROM users\n  -- the sleepy\n  WHERE a = 1\n", 3, id="YAML: >"),
    pytest.param("a.yaml", "query: >-\n  SELECT id FROM users # sleepy\n  WHERE a = 1\n", 2, id="YAML: # in >-"),
    pytest.param("a.yaml", "query: >2\n  SELECT id FROM users --\n  WHERE a = 1\n", 2, id="YAML: an empty comment"),
    pytest.param("a.yaml", "query: SELECT id FROM users -- sleepy\n  WHERE a = 1\n", 1, id="YAML: a plain text"),
    pytest.param("a.yaml", "query:\n  SELECT id FROM users -- sleepy\n  WHERE a = 1\n", 2, id="YAML: plain, below"),
    pytest.param("a.yaml", "x: 1\nquery: &q >\n  SELECT id FROM users\n  -- y\n  WHERE a\n", 4, id="YAML: an anchor"),
    pytest.param("a.yaml", 'query: "SELECT id FROM users -- \\"x\\"\n  WHERE a = 1"\n', 1, id="YAML: double quotes"),
    pytest.param("a.yaml", 'query: "SELECT id FROM users\n  -- x \\\n  WHERE a = 1"\n', 2, id="YAML: \\ at the end"),
    pytest.param("a.yaml", "query: 'SELECT id FROM users -- it''s\n  WHERE a = 1'\n", 1, id="YAML: single quotes"),
    pytest.param("a.yaml", "{type: x, query: 'SELECT id FROM users\n  # x\n  WHERE a'}\n", 2, id="YAML: in braces"),
    pytest.param(
        "a.yaml", "query: >\r\n  SELECT id FROM users\r\n  -- a\r\n  WHERE a\r\n", 3, id="YAML: lines of Windows"
    ),
    pytest.param(
        "a.py",
        "loop = define_loop(\n  query='SELECT id FROM users '\n  '-- the sleepy '\n  'WHERE a = 1')\n",
        5,
        id="Python: side by side",
    ),
    pytest.param(
        "a.py", "loop = define_loop(query='SELECT id FROM users -- x ' 'WHERE a')\n", 3, id="Python: on one line"
    ),
    pytest.param(
        "a.py", "loop = define_loop(\n  query='SELECT id FROM users -- x '\n  + 'WHERE a')\n", 4, id="Python: +"
    ),
    pytest.param(
        "a.py",
        "loop = define_loop(query='SELECT id FROM users -- x \\\n  WHERE a')\n",
        3,
        id="Python: \\ at the end of a line",
    ),
    pytest.param(
        "a.py",
        'loop = define_loop(query="""SELECT id FROM users\n-- x \\\nWHERE a""")\n',
        4,
        id="Python: \\ at the end of a line of three quotes",
    ),
    pytest.param(
        "a.py",
        "loop = define_loop(query=' '.join(['SELECT id FROM users',\n  '-- x',\n  'WHERE a']))\n",
        4,
        id="Python: join",
    ),
    pytest.param(
        "a.py",
        "SQL = ('SELECT id FROM users '\n  '-- x '\n  'WHERE a')\nloop = define_loop(query=SQL)\n",
        4,
        id="Python: under a name",
    ),
    pytest.param(
        "a.ts",
        "export default defineLoop({query: 'SELECT id FROM users \\\n -- x \\\n WHERE a'});",
        2,
        id="TypeScript: \\ at the end of a line",
    ),
    pytest.param(
        "a.ts",
        "export default defineLoop({query: `SELECT id FROM users\n -- x \\\n WHERE a`});",
        2,
        id="TypeScript: \\ at the end of a line in backticks",
    ),
]


@pytest.mark.parametrize(("name", "text", "line"), SWALLOWED)
def test_a_comment_that_swallows_words_of_another_line_is_refused(
    name: str, text: str, line: int, tmp_path: Path
) -> None:
    refused = refusal(name, text, tmp_path)

    assert refused.message.startswith("The lines are joined, so the comment `")
    assert "swallows `WHERE a" in refused.message
    assert refused.place is not None
    assert (refused.place.file, refused.place.line) == (name, line)


def test_a_hint_may_be_folded() -> None:
    text = "query: >\n  SELECT /*+ HASH_JOIN(u)\n  HASH_AGG() */ id FROM users u\n"

    assert read("a.yaml", text, Path()).mysql == "SELECT /*+ HASH_JOIN(u) HASH_AGG() */ id FROM users u"


def test_the_refusal_says_what_to_do() -> None:
    text = "query: >\n  SELECT id FROM users\n  -- the sleepy ones\n  WHERE plan = 'free'\n"

    assert str(refusal("loops/a.yaml", text, Path())) == (
        "loops/a.yaml:3  query\n"
        "  The lines are joined, so the comment `-- the sleepy ones` swallows `WHERE plan = 'free'`. Use `|` after the "
        "field's name, and write the text on the lines below it: `|` keeps the line breaks. Or write it as /* … */."
    )


KEPT = [
    pytest.param("a.yaml", "query: |\n  SELECT id FROM users\n  -- x\n  WHERE a = 1\n", id="YAML: |"),
    pytest.param("a.yaml", "query: >\n  SELECT id FROM users\n    -- x\n  WHERE a = 1\n", id="YAML: > keeps these"),
    pytest.param("a.yaml", "query: >\n  SELECT id FROM users\n  /* x\n  y */ WHERE a = 1\n", id="YAML: /* … */"),
    pytest.param("a.yaml", "query: >\n  SELECT id FROM users\n  WHERE a = 1\n  -- x\n\n\n", id="YAML: at the end"),
    pytest.param("a.yaml", "query: >\n  SELECT id FROM users\n  -- x\n\n  WHERE a = 1\n", id="YAML: an empty line"),
    pytest.param("a.yaml", 'query: "SELECT id FROM users -- x\\n WHERE a = 1"\n', id="YAML: \\n"),
    pytest.param("a.yaml", 'query: "SELECT id FROM users -- x\n\n  WHERE a = 1"\n', id="YAML: quotes, an empty line"),
    pytest.param("a.yaml", "query: >\n  SELECT id FROM users -- > WHERE a = 1\n", id="YAML: on its own line"),
    pytest.param("a.py", 'loop = define_loop(query="""SELECT id FROM users\n-- x\nWHERE a = 1""")\n', id="Python"),
    pytest.param("a.py", "loop = define_loop(query='SELECT id FROM users -- x\\n' 'WHERE a = 1')\n", id="Python: \\n"),
    pytest.param(
        "a.py",
        'loop = define_loop(query=dedent("""\\\n  SELECT id FROM users\n  -- x\n  WHERE a = 1\n  """))\n',
        id="Python: dedent",
    ),
    pytest.param(
        "a.py",
        'SQL = """\n  SELECT id FROM users -- "x"\n  WHERE a = 1\n"""\nloop = define_loop(query=SQL.strip())\n',
        id="Python: under a name",
    ),
    pytest.param(
        "a.py",
        "loop = define_loop(query='\\n'.join(['SELECT id FROM users -- x', 'WHERE a = 1']))\n",
        id="Python: join by lines",
    ),
    pytest.param(
        "a.py", "a = '1'\nloop = define_loop(query=f'SELECT id FROM users /* x */ WHERE a = {a}')\n", id="Python: f''"
    ),
    pytest.param("a.ts", "export default defineLoop({query: `SELECT id FROM users -- x\nWHERE a = 1`});", id="TS"),
    pytest.param(
        "a.ts", "export default defineLoop({query: 'SELECT id FROM users -- x\\nWHERE a = 1'});", id="TS: \\n"
    ),
]


@pytest.mark.parametrize(("name", "text"), KEPT)
def test_a_comment_that_swallows_nothing_is_left_out(name: str, text: str, tmp_path: Path) -> None:
    words = read(name, text, tmp_path).mysql.split()

    assert words == ["SELECT", "id", "FROM", "users", "WHERE", "a", "=", "1"] or words[-1] == "users"
    assert ("WHERE" in words) == ("-- >" not in text)


def test_a_comment_in_sql_that_is_computed_is_refused_for_its_lines_are_not_known(tmp_path: Path) -> None:
    text = "a = 1\nloop = define_loop(query=f'SELECT id FROM users -- x {a}'.replace('\\n', ' '))\n"

    refused = refusal("a.py", text, tmp_path)

    assert refused.message == "The SQL is computed, and the comment `-- x 1` may hold words of other lines."
    assert refused.advice.startswith("Write it as /* … */. Or: write the text in one ")
    assert refused.place is not None
    assert refused.place.line == 4


GLUED = [
    pytest.param("a.yaml", 'query: "SELECT id FROM users\\\n  WHERE a = 1"\n', "usersWHERE", 1, id="YAML"),
    pytest.param(
        "a.py", "loop = define_loop(query='SELECT id FROM users' 'WHERE a = 1')\n", "usersWHERE", 3, id="Python"
    ),
    pytest.param(
        "a.py",
        "loop = define_loop(query='SELECT id FROM users WHERE a = 1'\n  '0 OR b = 2')\n",
        "10",
        3,
        id="Python: a number",
    ),
    pytest.param(
        "a.py", "loop = define_loop(query='SELECT id FROM users WHERE a <' '> 1')\n", "<>", 3, id="Python: an operator"
    ),
    pytest.param(
        "a.ts", "export default defineLoop({\nquery: 'SELECT id FROM users\\\nWHERE a = 1'});", "usersWHERE", 2, id="TS"
    ),
]


@pytest.mark.parametrize(("name", "text", "word", "line"), GLUED)
def test_a_word_that_is_joined_out_of_two_is_refused(
    name: str, text: str, word: str, line: int, tmp_path: Path
) -> None:
    refused = refusal(name, text, tmp_path)

    assert refused.message.startswith(f"`{word}` is joined from `")
    assert refused.advice == "Put a space between the two."
    assert refused.place is not None
    assert refused.place.line == line


def test_two_dashes_that_meet_are_a_comment_that_swallows_and_are_refused(tmp_path: Path) -> None:
    text = "loop = define_loop(query='SELECT id FROM users WHERE a = 5 -' '- 1 OR b')\n"

    assert refusal("a.py", text, tmp_path).message.endswith("the comment `-` swallows `- 1 OR b`.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a.yaml", "query: >\n  SELECT id FROM users WHERE a = 'x\n  y'\n", id="YAML: >"),
        pytest.param("a.yaml", "query: \"SELECT id FROM users WHERE a = 'x\\\n  y'\"\n", id="YAML: \\"),
        pytest.param("a.py", "loop = define_loop(query='SELECT id FROM users WHERE a = \"x'\n'y\"')\n", id="Python"),
    ],
)
def test_a_string_whose_line_break_is_lost_is_refused(name: str, text: str, tmp_path: Path) -> None:
    assert "the line break in " in refusal(name, text, tmp_path).message


def test_a_string_over_two_lines_that_are_kept_means_both(tmp_path: Path) -> None:
    text = "query: |\n  SELECT id FROM users WHERE a = 'x\n  y'\n"

    assert "'x\ny'" in read("a.yaml", text, tmp_path).mysql


def test_the_line_of_a_fault_is_that_of_the_file_where_lines_are_folded(tmp_path: Path) -> None:
    text = "query: >\n  SELECT id\n  FROM users\n\n  WHERE a = 1\n  AND SLEEP(1)\n"

    refused = refusal("a.yaml", text, tmp_path)

    assert refused.place is not None
    assert refused.place.line == 6


def test_the_line_of_what_cannot_be_read_is_that_of_the_file_where_lines_are_folded(tmp_path: Path) -> None:
    text = "query: >\n  SELECT id\n  FROM users\n\n  WHERE a = 1\n  AND AND b\n"

    refused = refusal("a.yaml", text, tmp_path)

    assert refused.place is not None
    assert refused.place.line == 6


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_each_word_is_known_to_stand_on_the_line_where_it_does(rows: list[list[int]], data: st.DataObject) -> None:
    # Words are told apart by their number: a9_0, a1_1, …
    numbered = [[f"a{digit}_{row}_{at}" for at, digit in enumerate(digits)] for row, digits in enumerate(rows)]
    start, end, between = data.draw(
        st.sampled_from(
            [(">\n  ", "", ""), ("|\n  ", "", ""), ("\n  ", "", ""), ('"', '"', ""), ('"', '"', " \\"), ("'", "'", "")]
        )
    )
    empty = data.draw(st.sampled_from(["", "\n"]))
    written = f"query: {start}" + f"{between}\n{empty}  ".join(" ".join(words) for words in numbered) + end + "\n"

    document = parse_yaml(written, "a.yaml", LoopSyntaxError)

    text, lines = document.data["query"], document.text_lines(Q)
    assert lines is not None
    assert lines.known
    for word in (word for words in numbered for word in words):
        assert lines.at(text.index(word)) == written[: written.index(word)].count("\n") + 1


def test_folded_lines_give_the_very_plan_that_one_line_gives(tmp_path: Path) -> None:
    folded = read("a.yaml", "query: >-\n  SELECT id\n  FROM users\n", tmp_path)

    assert folded == read("a.yaml", "query: SELECT id FROM users\n", tmp_path)


HIDDEN = [
    pytest.param("SELECT id FROM users -- x\rWHERE a = 1", "does not end at the U+000D", id="CR alone"),
    pytest.param("SELECT id FROM users -- x\u2028WHERE a", "does not end at the line separator", id="line separator"),
    pytest.param("SELECT id FROM users # x\x85WHERE a = 1", "does not end at the U+0085", id="next line"),
    pytest.param("SELECT id FROM users -- x\x0bWHERE a = 1", "does not end at the U+000B", id="vertical tab"),
    pytest.param("SELECT id FROM users -- x\0WHERE a = 1", "does not end at the U+0000", id="NUL"),
    pytest.param("SELECT id FROM users /* \u202e x */", "cannot be seen in a comment", id="bidi in a comment"),
    pytest.param("SELECT id FROM users -- \u2066 x", "cannot be seen in a comment", id="bidi in a line's comment"),
    pytest.param("SELECT id FROM users WHERE a = 'x\u202e'", "cannot be seen in a string", id="bidi in a string"),
    pytest.param("SELECT id FROM users WHERE a = 'x\u200b'", "(zero width space) cannot be seen in a", id="zero width"),
    pytest.param("SELECT id FROM users WHERE a = 'x\xa0y'", "(no-break space) cannot be seen in a", id="NBSP"),
    pytest.param("SELECT id FROM users WHERE a = 'x\x1b'", "cannot be seen in a string", id="ESC"),
    pytest.param("SELECT id FROM users WHERE a = 'x\x85'", "cannot be seen in a string", id="next line in a string"),
    pytest.param("SELECT id FROM users WHERE a = 'x\u2029'", "(paragraph separator) cannot be", id="a separator"),
    pytest.param("SELECT id FROM users WHERE \u03b1\u0431 = 1", "has the letter", id="a Greek and a Cyrillic letter"),
    pytest.param("SELECT id FROM users WHERE `a\xad` = 1", "cannot be seen in a name", id="soft hyphen in a name"),
    pytest.param("SELECT id FROM users WHERE\u2003a = 1", "is not SQL", id="em space"),
    pytest.param("SELECT id FROM users WHERE a\u200b = 1", "is not SQL", id="zero width in code"),
    pytest.param("SELECT id FROM users WHERE `a\u200db` = 1", "cannot be seen in a name", id="a joiner in a name"),
    pytest.param("SELECT id FROM users WHERE a = '\ufeff'", "cannot be seen in a string", id="a byte order mark"),
    pytest.param("SELECT id FROM users WHERE \u03b1b = 1", "has the letter", id="a Greek letter among Latin ones"),
    pytest.param("SELECT id FROM users\0 WHERE a = 1", "is not SQL", id="NUL in code"),
    pytest.param("SELECT id FROM us\u0435rs WHERE a = 1", "has the letter", id="a Cyrillic letter"),
    pytest.param("SELECT id FROM users WHERE a = \u0663", "is neither a number nor a name", id="another digit"),
    pytest.param("\u017felect id FROM users", "The query begins with", id="a letter that is S in capitals"),
]


@pytest.mark.parametrize(("sql", "message"), HIDDEN)
def test_what_nobody_sees_is_refused(sql: str, message: str, tmp_path: Path) -> None:
    assert message in refusal("a.ts", f"export default defineLoop({{query: {sql!a}}});", tmp_path).message


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT id FROM users WHERE name = 'Zoë 你好\u3000x'", id="letters of other scripts in a string"),
        pytest.param("SELECT id FROM users WHERE name = '👩\u200d💻'", id="a joined emoji"),
        pytest.param("SELECT id FROM users WHERE name = '\u0646\u0645\u06cc\u200c\u062e'", id="joined letters"),
        pytest.param("SELECT id FROM users WHERE name = 'é\tb\r\nc'", id="a tab and a line break in a string"),
        pytest.param("SELECT id FROM users WHERE name = '\u03b1b\u0431'", id="letters that look alike in a string"),
        pytest.param("SELECT id FROM users WHERE name = '🏴\U000e0020\U000e007f'", id="the first and the last tag"),
        pytest.param("SELECT id, größe FROM users WHERE имя = 'x'", id="names in one script each"),
        pytest.param("SELECT id -- 5\xa0€\nFROM users", id="NBSP in a comment"),
        pytest.param("SELECT id -- x\r\nFROM users", id="lines of Windows"),
    ],
)
def test_what_can_be_seen_is_read(sql: str) -> None:
    assert read_query(sql, users=Users(), place=Place("a.yaml")).key == "id"


def test_a_backslash_that_javascript_drops_is_refused(tmp_path: Path) -> None:
    text = "export default defineLoop({query: `SELECT id FROM users\nWHERE a LIKE '\\_x'`});"

    with pytest.raises(LoopSyntaxError) as caught:
        read("a.ts", text, tmp_path)

    assert str(caught.value) == (
        "a.ts:2  query\n"
        "  JavaScript drops the backslash of \\_ in this text. Write \\\\_ to keep it, _ to leave it out."
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(
            "a.ts", r"""export default defineLoop({query: "SELECT id FROM users WHERE a LIKE '\\_x'"});""", id="TS"
        ),
        pytest.param("a.py", "loop = define_loop(query=\"SELECT id FROM users WHERE a LIKE '\\\\_x'\")\n", id="Python"),
        pytest.param("a.py", "loop = define_loop(query=r\"SELECT id FROM users WHERE a LIKE '\\_x'\")\n", id="raw"),
        pytest.param("a.yaml", "query: \"SELECT id FROM users WHERE a LIKE '\\\\_x'\"\n", id="YAML, quoted"),
        pytest.param("a.yaml", "query: SELECT id FROM users WHERE a LIKE '\\_x'\n", id="YAML, plain"),
    ],
)
def test_a_backslash_that_is_doubled_where_the_format_wants_it_is_one(name: str, text: str, tmp_path: Path) -> None:
    assert read(name, text, tmp_path).mysql == r"SELECT id FROM users WHERE a LIKE '\_x'"


def test_a_blank_that_yaml_makes_of_an_escape_is_refused(tmp_path: Path) -> None:
    text = "query: \"SELECT id FROM users WHERE a LIKE '\\_x'\"\n"

    assert "(no-break space) cannot be seen in a string" in refusal("a.yaml", text, tmp_path).message


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_a_line_end_that_editors_do_not_show_is_refused_in_yaml(character: str, tmp_path: Path) -> None:
    with pytest.raises(LoopSyntaxError) as caught:
        read("a.yaml", f"query: |\n  SELECT id FROM users -- x{character}  WHERE a = 1\n", tmp_path)

    assert caught.value.place is not None
    assert caught.value.place.line == 2


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT id FROM users /* WHERE a = 1", id="that is not closed"),
        pytest.param("SELECT id FROM users /*! WHERE a = 1 */", id="that MySQL runs"),
        pytest.param("SELECT id FROM users /*!50000 WHERE a = 1 */", id="that some versions run"),
        pytest.param("SELECT id FROM users /*M! WHERE a = 1 */", id="that MariaDB runs"),
        pytest.param("SELECT id FROM users /*T![x] WHERE a = 1 */", id="that TiDB runs"),
        pytest.param("SELECT id FROM users /*+ WHERE a = 1 */", id="that is a hint elsewhere"),
    ],
)
def test_a_comment_is_refused(sql: str, tmp_path: Path) -> None:
    refusal("a.yaml", f"query: |\n  {sql}\n", tmp_path)
