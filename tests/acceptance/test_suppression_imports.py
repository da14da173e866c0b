"""Exports of other products are put on the list: each by its own columns, and nobody is lost without a word."""

import os
import sys
from pathlib import Path

import pytest
from commands import skene
from listed_people import execute, rows, said, write_listed_project

BOUNCE, COMPLAINT, SAID_NO, PROVIDER = (
    ("all", "bounce"),
    ("all", "complaint"),
    ("marketing", "said_no"),
    ("all", "provider"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_listed_project(tmp_path / "project")


def write(root: Path, text: str | bytes, name: str = "list.csv") -> str:
    file = root / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(file)


EXPORTS = {
    "suppressions of Resend": (
        (
            "id,email,origin,source_id,created_at\n"
            "1,ada@example.com,bounce,x,2026-10-06T23:47:56.678Z\n"
            "2,bob@example.com,complaint,x,2026-10-06T23:47:56.678Z\n"
            "3,eve@example.com,manual,,2026-10-06T23:47:56.678Z\n"
        ),
        {"ada": BOUNCE, "bob": COMPLAINT, "eve": PROVIDER},
        "2026-10-06 23:47:56.678000",
    ),
    "contacts of Resend or people of Customer.io": (
        "id,email,first_name,unsubscribed\n1,ada@example.com,Ada,true\n2,bob@example.com,Bob,false\n3,eve@example.com,,\n",
        {"ada": SAID_NO},
        None,
    ),
    "unsubscribed contacts of Mailchimp": (
        (
            '"Email Address","First Name",UNSUB_TIME,UNSUB_REASON,TAGS\n'
            'ada@example.com,Ada,"2026-01-02 03:04:05",NORMAL,"""vip"",""paying"""\n'
        ),
        {"ada": SAID_NO},
        "2026-01-02 03:04:05.000000",
    ),
    "cleaned contacts of Mailchimp": (
        '"Email Address","First Name",CLEAN_TIME\nada@example.com,Ada,"2026-01-02 03:04:05"\n',
        {"ada": BOUNCE},
        "2026-01-02 03:04:05.000000",
    ),
    "bounces of Mailgun": (
        (
            "address,code,error,created_at\n"
            'ada@example.com,550,"5.1.1 no\nsuch mailbox, sorry","Tue, 07 Jan 2025 19:25:45 UTC"\n'
        ),
        {"ada": BOUNCE},
        "2025-01-07 19:25:45.000000",
    ),
    "unsubscribes of Mailgun": (
        'address,tags,created_at\nada@example.com,*,"Tue, 07 Jan 2025 21:25:45 +0200"\n',
        {"ada": SAID_NO},
        "2025-01-07 19:25:45.000000",
    ),
    "suppressed destinations of Amazon SES": (
        (
            "EmailAddress;Reason;LastUpdateTime\n"
            "ada@example.com;BOUNCE;2026-04-10T21:03:05+00:00\nbob@example.com;COMPLAINT;2026-04-10T21:03:05+00:00\n"
        ),
        {"ada": BOUNCE, "bob": COMPLAINT},
        "2026-04-10 21:03:05.000000",
    ),
    "addresses without a header": (
        "ada@example.com,BOUNCE\nbob@example.com, COMPLAINT\n",
        {"ada": BOUNCE, "bob": COMPLAINT},
        None,
    ),
    "subscribers of listmonk": (
        (
            "uuid,email,name,attributes,status,created_at,updated_at\n"
            'a,ada@example.com,Ada,"{""city"": ""Berlin""}",blocklisted,'
            "2023-01-02 15:04:05.999999 +0000 UTC,2024-01-02 15:04:05.999999 +0000 UTC\n"
            "b,bob@example.com,Bob,{},enabled,2023-01-02 15:04:05 +0000 UTC,2024-01-02 15:04:05 +0000 UTC\n"
        ),
        {"ada": SAID_NO},
        "2024-01-02 15:04:05.999999",
    ),
    "addresses": (
        "Name\tE-Mail\tAddress\tReason\nAda\t\tada@example.com\tHard bounce\nBob\t\tbob@example.com\tspam-complaint\n",
        {"ada": BOUNCE, "bob": COMPLAINT},
        None,
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_recognised_by_its_columns(root: Path, name: str) -> None:
    text, people, since = EXPORTS[name]

    told = said(root, "import", write(root, text))

    assert f"Read as {name}" in told
    assert rows(root) == [(f"{who}@example.com", *kind) for who, kind in people.items()]
    if since is not None:
        assert {row for (row,) in rows(root, "since")} == {since}


def test_a_no_to_marketing_is_also_that_of_the_users_who_have_the_address(root: Path) -> None:
    told = said(root, "import", write(root, "email\nUSER-1@example.com\nada@example.com\n"), "--scope", "marketing")

    assert "2 addresses added, and 1 user who has one of them." in told
    assert len(rows(root)) == 3


def test_a_dead_address_is_nobodys_no(root: Path) -> None:
    said(root, "import", write(root, "email\nuser-1@example.com\n"), "--scope", "all")

    assert rows(root) == [("user-1@example.com", "all", "provider")]


def test_to_import_a_file_again_adds_nothing(root: Path) -> None:
    file = write(root, "email,reason\nada@example.com,bounce\nada@example.com,bounce\nbob@example.com,bounce\n")

    first, again = said(root, "import", file), said(root, "import", file)

    assert "2 addresses added." in first
    assert "0 addresses added." in again
    assert "3 addresses there already, or lifted since." in again


def test_a_file_that_is_older_than_a_lift_does_not_suppress_again(root: Path) -> None:
    file = write(root, "email,reason\nada@example.com,bounce\n")
    said(root, "import", file)
    said(root, "lift", "ada@example.com", "--reason", "a new mailbox", exit_code=4)

    said(root, "import", file)
    assert rows(root) == []

    os.utime(file, (4e9, 4e9))
    said(root, "import", file)
    assert rows(root) == [("ada@example.com", "all", "bounce")]


def test_a_dry_run_says_what_would_be_added_and_writes_nothing(root: Path) -> None:
    told = said(root, "import", write(root, "email,reason\nada@example.com,bounce\n"), "--dry-run")

    assert "1 address would be added." in told
    assert rows(root) == []


def test_bad_rows_are_told_with_their_lines_and_stop_nobody_else(root: Path) -> None:
    bad = "".join(f"bad-{n}@,bounce\n" for n in range(7))
    text = f"email,reason\nada@example.com,bounce\n{bad},bounce\nbob@example.com,asleep\neve@example.com,bounce\n"

    told = said(root, "import", write(root, text), exit_code=4)

    assert "2 addresses added." in told
    assert "list.csv:3 'bad-0@' is not an address" in told
    assert "list.csv:7 'bad-4@' is not an address" in told
    assert "bad-5@" not in told
    assert "9 rows could not be used." in told


@pytest.mark.parametrize(
    ("row", "why"),
    [
        pytest.param(",bounce", "It has no address.", id="no address"),
        pytest.param("ada@example.com,asleep", "'asleep' is no known reason.", id="an unknown reason"),
        pytest.param('"ada@example.com"x,bounce', "expected after", id="a quotation mark within"),
        pytest.param('"ada@example.com,bounce', "A quotation mark is never closed", id="a quotation mark that stays"),
        pytest.param("=cmd|' /c calc'!A0,bounce", "is not an address", id="a formula"),
        pytest.param("\x1b[31m@example.com,bounce", "is not an address", id="what steers a terminal"),
        pytest.param("a@example.com b@example.com,bounce", "is not an address", id="two addresses"),
        pytest.param("x" * 200_000 + ",bounce", "A quotation mark is never closed", id="a field too long"),
        pytest.param("x" * 1_100_000, "The line has more than 1,048,576 characters.", id="a line too long"),
    ],
)
def test_a_bad_row_is_told_and_the_next_ones_are_read(root: Path, row: str, why: str) -> None:
    is_last = row.startswith('"ada@example.com,')
    after = "" if is_last else "eve@example.com,bounce\n"

    told = said(root, "import", write(root, f"email,reason\nbob@example.com,bounce\n{row}\n{after}"), exit_code=4)

    assert "list.csv:3" in told
    assert why in told
    assert "\x1b" not in told
    assert len(rows(root)) == (1 if is_last else 2)


@pytest.mark.parametrize(
    ("after", "read"),
    [
        pytest.param('eve@example.com,"Eve",bounce\n', ["bob", "eve"], id="closed by a mark that opens"),
        pytest.param('eve@example.com,Eve"\n', ["bob"], id="closed where a column is missing"),
        pytest.param("eve@example.com,Eve,bounce\n", ["bob", "eve"], id="never closed"),
    ],
)
def test_a_quotation_mark_that_stays_open_costs_its_own_line_only(root: Path, after: str, read: list[str]) -> None:
    text = f'email,name,reason\nada@example.com,"Ada,bounce\nbob@example.com,Bob,bounce\n{after}'

    told = said(root, "import", write(root, text), exit_code=4)

    assert "list.csv:2" in told
    assert rows(root, "address") == [(f"{who}@example.com",) for who in read]


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("UTF-8 with a mark", lambda text: text.encode("utf-8-sig")),
        ("Latin-1", lambda text: text.encode("latin-1")),
        ("UTF-16", lambda text: text.encode("utf-16")),
        ("lines of Windows", lambda text: text.replace("\n", "\r\n").encode()),
        ("a separator that Excel wrote", lambda text: f"sep=,\n{text}".encode()),
        ("blank lines", lambda text: text.replace("\n", "\n\n").encode()),
    ],
)
def test_a_file_is_read_as_other_programs_write_it(root: Path, name: str, encode: object) -> None:
    assert callable(encode), name

    said(root, "import", write(root, encode("email,name,reason\nada@example.com,Jörg,bounce\n")))

    assert rows(root) == [("ada@example.com", "all", "bounce")]


def test_an_address_that_is_not_in_utf_8_is_told(root: Path) -> None:
    told = said(root, "import", write(root, "email,reason\nada@bücher.example,bounce\n".encode("latin-1")), exit_code=4)

    assert "The address is not in UTF-8." in told


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        pytest.param(
            "who,when\nada,today\n",
            [],
            "list.csv:1 No column is known to hold addresses. It has: 'who', 'when'. Name the one",
            id="unknown columns",
        ),
        pytest.param(
            "who\nada@example.com\n",
            ["--column", "whom"],
            "There is no column 'whom'. It has: 'who'.",
            id="a column that is not there",
        ),
        pytest.param("email\nada@example.com\n", [], "list.csv:1 The file does not say why", id="no reason"),
        pytest.param("", [], "The file is empty.", id="an empty file"),
        pytest.param(b"PK\x03\x04\x00\x00", [], "This is no text.", id="a file of a spreadsheet"),
        pytest.param("email\n", ["--source", " "], "It is empty.", id="an empty source"),
    ],
)
def test_a_file_that_cannot_be_read_as_asked_changes_nothing(
    root: Path, text: str | bytes, options: list[str], why: str
) -> None:
    assert why in said(root, "import", write(root, text), *options, exit_code=2)
    assert rows(root) == []


def test_a_file_that_is_not_there_is_a_wrong_call(root: Path) -> None:
    assert "does not exist" in said(root, "import", "missing.csv", exit_code=2)


def test_a_person_may_name_the_column_and_the_source(root: Path) -> None:
    file = write(root, "who,email\nada@example.com,bob@example.com\n")

    said(root, "import", file, "--column", "Who", "--scope", "marketing", "--source", "the old shop")

    assert rows(root, "address, reason, source") == [("ada@example.com", "said_no", "the old shop")]


def test_the_source_is_the_name_of_the_file(root: Path) -> None:
    skene(root, "suppressions", "import", write(root, "email,reason\nada@example.com,bounce\n", "n" * 80 + ".csv"))

    assert rows(root, "source") == [("n" * 64,)]


@pytest.mark.parametrize(
    ("source", "kept"), [(b"x" * 80, "x" * 64), (b"caf\xe9", "caf?")], ids=["too long", "not in UTF-8"]
)
def test_a_source_that_cannot_be_kept_as_it_is_costs_nobody_their_no(root: Path, source: bytes, kept: str) -> None:
    file = write(root, b"address,scope,reason,source\nada@example.com,marketing,said_no," + source + b"\n")

    assert "1 address added." in said(root, "import", file)
    assert rows(root, "source") == [(kept,)]


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 there")
def test_a_file_may_have_a_name_that_is_not_utf_8(root: Path) -> None:
    file = write(root, "email,reason\nada@example.com,bounce\n", os.fsdecode(b"caf\xe9.csv"))

    assert "1 address added." in said(root, "import", file)
    assert rows(root, "source") == [("caf?.csv",)]


def test_a_column_that_is_not_there_is_told_before_anything_is_read(root: Path) -> None:
    execute(root, "ALTER TABLE users RENAME COLUMN email TO mail")

    assert "skene.yaml users.email" in said(root, "import", write(root, "x\n"), exit_code=1)


def test_more_rows_than_a_page_are_imported(root: Path) -> None:
    text = "email,reason\n" + "".join(f"u{n}@example.com,bounce\n" for n in range(12_001))

    assert "12,001 addresses added." in skene(root, "suppressions", "import", write(root, text)).output
    assert len(rows(root)) == 12_001
