"""Why did they get this email, or not? What `skene-dagster why` says to a person, in 80 columns, and to a program."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from commands import run, skene
from explained_world import LOOPS, Scene, everything_happens, make_scene, one_is_in_doubt
from rich.cells import cell_len
from small_project import RETENTION, write_project, write_users

from skene_dagster.delivery import controls
from skene_dagster.loops.names import LONGEST
from skene_dagster.store.engine import open_engine, transaction

ADA = 4711
ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}
A_MOMENT = r"\d{1,2} [A-Z][a-z]{2} \d\d:\d\d"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Two weeks ago; the commands ask now."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "project"
    (root / ".skene").mkdir(parents=True)
    engine = open_engine(f"sqlite:///{root / '.skene' / 'skene.db'}")
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    yield make_scene(engine, root, now - timedelta(days=13, hours=2), environ=ENVIRON)
    engine.dispose()


def lived(scene: Scene, key: object = ADA) -> Scene:
    everything_happens(scene, key)
    one_is_in_doubt(scene, key)
    scene.change(key, dormant=1)
    scene.tick("win_back")
    return scene


def said(scene: Scene, *arguments: str, exit_code: int = 0) -> str:
    result = skene(scene.root, "why", *arguments)
    assert result.exit_code == exit_code, result.output
    too_long = [line for line in result.output.splitlines() if cell_len(line) > 80]
    assert too_long == []
    return result.output


def sections(output: str) -> dict[str, str]:
    """What is said, by the heading above it, each on one line; the heading's own words come first."""
    found: dict[str, str] = {}
    name = "WHO"
    for line in output.splitlines():
        heading = re.match(r"([A-Z]{2,}(?: [A-Z]+)*)(?:   |$)", line)
        name = heading[1] if heading else name
        rest = line[heading.end() :] if heading else line
        found[name] = f"{found.get(name, '')} {rest.strip()}".strip()
    return {name: re.sub(r"\s+", " ", text) for name, text in found.items()}


def test_the_first_lines_say_who_they_are_and_show_no_address(scene: Scene) -> None:
    output = said(lived(scene), str(ADA))

    who = sections(output)["WHO"]
    assert re.match(rf"Ada L\. · user 4711 · u…@example\.com as of {A_MOMENT} UTC", who)
    assert re.search(r"Europe/Berlin, \d\d:\d\d there", who)
    assert "u4711@" not in output
    assert "Lovelace" not in who


def test_whether_they_may_be_mailed_is_one_word_and_then_the_reasons(scene: Scene) -> None:
    may = sections(said(lived(scene), str(ADA)))["MAY WE MAIL THEM"]

    assert may.startswith("yes, but not about tips, offers topic product on")
    assert re.search(
        rf"topic tips OFF since {A_MOMENT}: one click in a mail program, in a mail of vip topic offers", may
    )
    assert "topic offers OFF: it waits for a yes, and they never said it" in may
    assert re.search(rf"address works: last delivered {A_MOMENT}", may)
    assert re.search(rf"mails in 7 days 2 of 2 \({A_MOMENT}, 1 on the way, or in doubt\): full until {A_MOMENT}", may)


def test_what_comes_next_has_its_moment_and_what_it_waits_for(scene: Scene) -> None:
    coming = sections(said(lived(scene), str(ADA)))["WHAT COMES NEXT"]

    assert re.match(r"\d+ [A-Z][a-z]+ 09:00 win_back · nudge asked again: the cap has room by then", coming)
    assert "after that win_back · last_call 7 days later, if they still match" in coming


def test_what_happened_says_why_and_what_became_of_it(scene: Scene) -> None:
    past = sections(said(lived(scene), str(ADA)))["WHAT HAPPENED"]

    perhaps = "sent, perhaps: no answer came, and there is no record"
    told = re.split(rf" ?{A_MOMENT} (?=win_back|activation|weekly|milestones|vip)", past)
    assert told[:3] == [
        "newest first",
        "win_back · nudge WAITS had 2 mails in 7 days",
        f"activation IN DOUBT “Hello Ada Lovelace” {perhaps} said last: nobody asked",
    ]
    assert {*told[3:5]} == {
        'weekly_offers NO MAIL never said yes to "Offers"',
        'milestones NO MAIL said no to "Tips", or to all',
    }
    assert re.fullmatch(rf"vip MAILED delivered {A_MOMENT}, clicked", told[5])
    assert re.fullmatch(rf"activation MAILED delivered {A_MOMENT}, not clicked", told[6])


def test_why_they_are_not_in_a_loop_is_told_part_by_part(scene: Scene) -> None:
    outside = sections(said(lived(scene), str(ADA)))["NOT IN THESE LOOPS"]

    assert outside.startswith("as of their last look")
    assert "upgrade never was. Of its condition, for this user: u.plan = 'free' no (plan is 'team')" in outside
    assert "u.created_at < NOW() - INTERVAL 7 DAY yes" in outside
    assert "NOT EXISTS (SELECT 1 FROM invoices i WHERE not checked i.user_id = u.id)" in outside
    assert "grouped never was: is not selected by its condition" in outside
    assert re.search(rf"vip left on {A_MOMENT}: the condition no longer holds", outside)


def test_by_an_address_all_users_who_have_it_are_told(scene: Scene) -> None:
    scene.add(1, email="shared@example.com", name="Ada One")
    scene.add(2, email="Shared@EXAMPLE.com", name="Ada Two")
    scene.add(3, name="Somebody Else")

    output = said(scene, "shared@example.com")

    assert "Ada O. · user 1" in output
    assert "Ada T. · user 2" in output
    assert "user 3" not in output
    assert "shared@" not in output


def test_of_an_address_that_no_user_has_any_more_it_is_told_what_is_on_record(scene: Scene) -> None:
    scene.add(ADA)
    scene.says_no(ADA, "marketing", "they wrote to us")
    scene.execute("DELETE FROM users")

    output = said(scene, f"u{ADA}@example.com")

    assert output.startswith("u4711@example.com: no user has this address now")
    assert re.search(rf"{A_MOMENT}  marketing               STOPPED     said no: they wrote to us", output)
    assert re.search(rf"{A_MOMENT}  marketing               SAID NO     they wrote to us", output)
    record = json.loads(said_to_programs(scene, f"u{ADA}@example.com"))["on_record"]
    assert [one["reason"] for one in record["suppressions"]] == ["said_no"]
    assert [one["answer"] for one in record["answers"]] == ["no"]


@pytest.mark.parametrize("word", ["4712", "nobody@example.com", "not a key", "", "--", "9" * 30, "\x1b[31m"])
def test_nobody_is_told_anything_about_somebody_else(scene: Scene, word: str) -> None:
    scene.add(ADA)

    result = skene(scene.root, "why", word)

    assert result.exit_code == 2
    assert "4711" not in result.output
    assert "example.com" not in result.output.replace("nobody@example.com", "")
    assert "\x1b" not in result.output


def test_a_wrong_loop_is_told_with_those_that_there_are(scene: Scene) -> None:
    result = skene(lived(scene).root, "why", str(ADA), "--loop", "win_bak")

    assert result.exit_code == 2
    assert "Use one of: activation, grouped, milestones, upgrade" in " ".join(result.output.split())
    assert "Did you mean 'win_back'" in " ".join(result.output.split())


def test_one_loop_is_told_alone(scene: Scene) -> None:
    output = said(lived(scene), str(ADA), "--loop", "vip")

    assert "vip" in output
    assert not [name for name in LOOPS if name != "vip" and re.search(rf"^  .*\b{name}\b", output, re.MULTILINE)]


def test_what_is_older_than_ten_decisions_is_told_if_all_of_it_is_wanted(scene: Scene) -> None:
    scene.add(ADA)
    scene.execute(
        "INSERT INTO skene_sends (mode, loop, step, user_id, occurrence, send_id, state, reason, as_of, decided_at) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1203) "
        "SELECT 'live', 'vip', 'main', :key, i, printf('%032x', i), 'skipped', 'once', "
        "strftime('%Y-%m-%d %H:%M:%S.000000', '2026-01-01', '+' || i || ' hours'), '2026-01-01 00:00:00.000000' FROM n",
        key=ADA,
    )

    short, whole = said(scene, str(ADA)), said(scene, str(ADA), "--all")

    assert (short.count("NO MAIL"), whole.count("NO MAIL")) == (10, 1203)
    assert "--all" in short
    assert "--all" not in whole
    assert len(json.loads(said_to_programs(scene, str(ADA), "--all"))["users"][0]["happened"]) == 1203


def test_what_waits_stands_among_all_decisions_where_it_belongs(scene: Scene) -> None:
    lived(scene)

    short, whole = (
        re.findall(r"WAITS|IN DOUBT|NO MAIL|MAILED", said(scene, str(ADA), *option)) for option in ([], ["--all"])
    )

    assert short == whole == ["WAITS", "IN DOUBT", "NO MAIL", "NO MAIL", "MAILED", "MAILED"]


def test_somebody_to_whom_nothing_has_happened_is_told_so(scene: Scene) -> None:
    scene.add(ADA, timezone=None, name=None)

    found = sections(said(scene, str(ADA)))

    assert found["MAY WE MAIL THEM"].startswith("yes, but not about offers")
    assert found["WHAT COMES NEXT"] == "nothing is planned"
    assert found["WHAT HAPPENED"] == "newest first nothing yet"
    assert "vip has not looked yet" in found["NOT IN THESE LOOPS"]


def test_a_pause_is_told_to_whoever_waits_for_its_end(scene: Scene) -> None:
    scene.add(ADA, dormant=1)
    transaction(scene.engine, lambda c: controls.pause(c, "win_back", scene.now))
    scene.refresh("win_back")
    scene.world("win_back").reserve()

    coming = sections(said(scene, str(ADA)))["WHAT COMES NEXT"]

    assert coming.startswith("waits win_back · nudge nobody is decided now: the loop is paused")


@pytest.mark.parametrize(
    ("columns", "so"),
    [
        ({"staff": 1}, "no: users.mailable in skene.yaml leaves them out"),
        ({"email": None}, "no: they have no address"),
        ({"email": "ada at example"}, "no: what they have is not an address"),
    ],
)
def test_who_may_not_be_mailed_is_told_why_in_the_first_words(scene: Scene, columns: Any, so: str) -> None:
    scene.add(ADA, **columns)

    assert sections(said(scene, str(ADA)))["MAY WE MAIL THEM"].startswith(f"{so} topic product")


HOSTILE = [
    pytest.param("\x1b[31mRed\x1b[0m \x07Bell", id="colours and a bell"),
    pytest.param("Zoë\u202eevil\u2066 O'Neil", id="letters that turn the line"),
    pytest.param("漢字" * 60, id="wide letters without an end"),
    pytest.param("👩\u200d👧 Family " * 20, id="joined pictures"),
    pytest.param("a\nb\rc\td\x00e", id="lines in a line"),
    pytest.param("x" * 5_000, id="a word without an end"),
    pytest.param("e\u0301" * 200, id="letters with accents of their own"),
    pytest.param("[bold]not markup[/bold] %s {0}", id="what others would format"),
    pytest.param(" ", id="a blank"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_and_no_value_breaks_the_screen(scene: Scene, text: str) -> None:
    scene.add(ADA, name=text.replace("\x00", "\x01"), plan=text.replace("\x00", "\x01"), timezone=text[:64])
    scene.refresh("upgrade")
    scene.tick("activation")
    scene.says_no(ADA, "marketing", text[:60].replace("\x00", "\x01"))

    output = said(scene, str(ADA))

    steering = [c for c in output if not c.isprintable() and c not in "\n\u200c\u200d"]
    assert steering == []
    assert "user 4711" in output
    assert "MAY WE MAIL THEM" in output


def test_a_very_long_key_and_address_keep_their_lines(scene: Scene) -> None:
    scene.add(ADA, email=f"ada@{'long-' * 11}x.{'y' * 60}.example.com")

    assert "user 4711" in said(scene, str(ADA))


def test_for_programs_it_is_one_object_with_the_ledgers_reasons(scene: Scene) -> None:
    found = json.loads(said_to_programs(lived(scene), str(ADA)))

    assert {*found} == {"as_of", "mode", "users", "on_record"}
    (user,) = found["users"]
    assert (found["mode"], found["on_record"]) == ("live", None)
    assert user["person"]["address"] == "u…@example.com"
    assert "key" not in user["person"]
    assert [one["reason"] for one in user["happened"][:2]] == ["cap", "no_answer"]
    assert {one["topic"]: one["refusal"] for one in user["topics"]} == {
        "product": None,
        "tips": "said_no",
        "offers": "no_consent",
    }
    assert user["caps"][0]["within"] == "7d"
    parts = next(one for one in user["outside"] if one["loop"] == "upgrade")["parts"]
    assert [one["holds"] for one in parts] == [False, True, None]
    assert re.fullmatch(r"[\d-]+T[\d:.]+Z", found["as_of"])


def said_to_programs(scene: Scene, *arguments: str) -> str:
    result = skene(scene.root, "why", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return result.output


def test_a_broken_file_is_told_and_hides_nothing_else(scene: Scene) -> None:
    lived(scene)
    (scene.root / "loops" / "vip.yaml").write_text("type: retention\nname: vip\n", encoding="utf-8")

    output = " ".join(said(scene, str(ADA)).split())

    assert "loops/vip.yaml is broken, so what it would do is not known here." in output
    assert "vip MAILED" in output


def test_a_rehearsal_is_told_to_be_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.add(ADA)
    monkeypatch.setenv("SKENE_ENV", "development")
    assert skene(scene.root, "adopt", "--yes").exit_code == 0

    assert "These are the emails of the mode outbox, not real ones" in said(scene, str(ADA))


def test_without_our_tables_it_says_what_to_do(scene: Scene) -> None:
    scene.execute("DROP TABLE skene_schema_version")

    result = skene(scene.root, "why", str(ADA))

    assert result.exit_code == 3
    assert "skene-dagster migrate" in result.output


def test_a_name_of_48_characters_is_said_in_one_piece_wherever_it_stands(tmp_path: Path) -> None:
    mailed, left_out = (
        "reactivation_after_a_quarter_of_a_year_or_longer",
        "reminder_of_trials_that_end_tomorrow_or_thursday",
    )
    assert len(mailed) == len(left_out) == LONGEST
    loops = {
        "a.yaml": f"name: {mailed}\n{RETENTION}",
        "b.yaml": f"name: {left_out}\n{RETENTION.replace('last_activity_at <', 'last_activity_at >')}",
    }
    root = write_project(tmp_path / "project", loops)
    write_users(root, dormant=1)
    for name in (mailed, left_out):
        assert run(root, name)

    result = skene(root, "why", "1")

    lines = result.output.splitlines()
    assert [cell_len(line) for line in lines if cell_len(line) > 80] == []
    assert any(line.endswith(f"  {mailed}") for line in lines), result.output
    assert any(line.endswith(f"  {left_out}") for line in lines), result.output
