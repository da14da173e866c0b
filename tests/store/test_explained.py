"""Why somebody was mailed, or not: what is read about one user, on each database."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import LIVE, never_arrive
from explained_world import Scene, everything_happens, loop, make_scene, one_is_in_doubt
from sqlalchemy import Engine, event, insert

from skene_dagster.consent.suppressions import Suppression, suppress
from skene_dagster.delivery import controls, ledger
from skene_dagster.delivery.ledger import StepScope, people
from skene_dagster.delivery.model import GateName
from skene_dagster.explain.explaining import add_history, explain
from skene_dagster.explain.happened import older
from skene_dagster.explain.model import Coming, Explained, Happened, Outside, TopicState
from skene_dagster.explain.scope import Asked
from skene_dagster.explain.whom import find
from skene_dagster.loops.triggers import Schedule
from skene_dagster.project import load_project
from skene_dagster.segments.parts import Checked
from skene_dagster.settings import load
from skene_dagster.store.engine import is_sqlite, reading, transaction
from skene_dagster.store.server.capabilities import capabilities
from skene_dagster.store.tables import OPEN, segment_members, sends

BEGIN = datetime(2026, 11, 2, 9)
ADA = 4711
LIVE_ENVIRON = {"SKENE_ENV": "production", "RESEND_API_KEY": "re_test"}


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Scene:
    return make_scene(engine, tmp_path / "project", BEGIN, environ=LIVE_ENVIRON)


def next_nine(_schedule: Schedule, since: datetime) -> datetime:
    nine = since.replace(hour=9, minute=0, second=0, microsecond=0)
    return nine if nine >= since else nine + timedelta(days=1)


def asked(scene: Scene, loop: str | None = None, limit: int = 10) -> Asked:
    return Asked(scene.settings, scene.project.loops, LIVE.name, scene.now, next_nine, loop, limit)


def explained(scene: Scene, key: object = ADA, loop: str | None = None, limit: int = 10) -> Explained:
    about = asked(scene, loop, limit)
    found = reading(scene.engine, lambda connection: explain(connection, about, key))
    assert found is not None
    return add_history(scene.engine, about, found)


def decisions(found: Explained) -> list[tuple[str, str, str | None]]:
    return [(one.loop, one.outcome, one.reason) for one in found.happened]


def about(found: Explained, loop: str) -> Happened:
    return next(one for one in found.happened if one.loop == loop)


def steps_to_come(found: Explained) -> list[tuple[str, str, str | None]]:
    return [(one.step, one.kind, one.reason) for one in found.coming]


def not_in(found: Explained, loop: str) -> Outside:
    return next(one for one in found.outside if one.loop == loop)


def test_what_was_decided_is_told_newest_first_with_what_became_of_it(scene: Scene) -> None:
    everything_happens(scene, ADA)

    found = explained(scene)

    # Of two that were decided at the same tick either may come first.
    assert set(decisions(found)[:2]) == {
        ("weekly_offers", "skipped", "no_consent"),
        ("milestones", "skipped", "said_no"),
    }
    assert decisions(found)[2:] == [("vip", "accepted", None), ("activation", "accepted", None)]
    vip, activation = about(found, "vip"), about(found, "activation")
    assert vip.delivered_at == vip.accepted_at
    assert vip.clicked_at == vip.at + timedelta(hours=1)
    assert activation.delivered_at == activation.at + timedelta(minutes=1)
    assert activation.clicked_at is None
    assert not found.more


def test_of_each_topic_it_is_told_whether_they_get_it_since_when_and_who_says_so(scene: Scene) -> None:
    everything_happens(scene, ADA)

    topics = {one.topic: one for one in explained(scene).topics}

    said_at = scene.now - timedelta(days=2)
    assert topics == {
        "product": TopicState("product", None, None, None, None, None),
        "tips": TopicState("tips", "said_no", "topic:tips", said_at, "one click in a mail program", "vip"),
        "offers": TopicState("offers", "no_consent", None, None, None, None),
    }


def test_who_agreed_in_the_product_gets_a_topic_that_waits_for_a_yes(scene: Scene) -> None:
    scene.add(ADA, offers_at=BEGIN)

    (offers,) = (one for one in explained(scene).topics if one.topic == "offers")

    assert offers == TopicState("offers", None, None, None, "they agreed in the product", None)


def test_a_no_to_marketing_stops_each_topic_and_a_dead_address_everything(scene: Scene) -> None:
    scene.add(1)
    scene.add(2)
    scene.says_no(1, "marketing", "a letter")
    scene.tick("activation")
    scene.told(2, "activation", "bounced", bounce_type="Permanent", bounce_sub_type="General", status_codes="5.1.1")

    no, dead = explained(scene, 1), explained(scene, 2)

    assert {(one.refusal, one.scope, one.source) for one in no.topics} == {("said_no", "marketing", "a letter")}
    assert {(one.refusal, one.scope) for one in dead.topics} == {("suppressed", "all")}
    assert (dead.address.state, dead.address.reason) == ("suppressed", "bounce")
    assert not no.may_be_mailed
    assert not dead.may_be_mailed


@pytest.mark.parametrize(
    ("columns", "state"), [({"email": None}, "none"), ({"email": " "}, "none"), ({"email": "ada"}, "invalid")]
)
def test_an_address_that_is_missing_or_none_is_told(scene: Scene, columns: dict[str, object], state: str) -> None:
    scene.add(ADA, **columns)

    found = explained(scene)

    assert found.address.state == state
    assert not found.may_be_mailed


def test_a_full_cap_says_what_counts_and_until_when_and_who_waits_for_it(scene: Scene) -> None:
    everything_happens(scene, ADA)
    one_is_in_doubt(scene, ADA)
    scene.change(ADA, dormant=1)
    scene.tick("win_back")

    found = explained(scene)

    (cap,) = found.caps
    left_at = about(found, "vip").accepted_at
    assert left_at is not None
    assert cap.room_at is not None
    assert (cap.mails, cap.may_leave, cap.full, cap.room_at) == ((left_at,), 1, True, left_at + timedelta(days=7))
    assert about(found, "win_back").reason == "cap"
    assert found.coming == (
        Coming(next_nine(Schedule("", ""), cap.room_at), "win_back", "nudge", "asked again", "cap", None),
        Coming(None, "win_back", "last_call", "follows", None, None, timedelta(days=7)),
    )


def test_a_doubt_has_its_subject_and_what_was_said_last(scene: Scene) -> None:
    everything_happens(scene, ADA)
    one_is_in_doubt(scene, ADA)

    doubt = about(explained(scene), "activation")

    assert (doubt.outcome, doubt.reason, doubt.subject, doubt.detail) == (
        "in_doubt",
        "no_answer",
        "Hello Ada Lovelace",
        "nobody asked",
    )


def test_an_email_without_an_answer_yet_is_in_flight(scene: Scene) -> None:
    scene.add(ADA)
    scene.tick("activation", never_arrive)

    assert steps_to_come(explained(scene)) == [("main", "in flight", None)]


def test_an_email_that_waits_for_its_recipients_morning_says_when(scene: Scene) -> None:
    rewritten = scene.settings.root / "skene.yaml"
    rewritten.write_text(
        rewritten.read_text(encoding="utf-8").replace(
            "limits: {", 'limits: {quiet_hours: {from: "22:00", to: "12:00"}, '
        ),
        encoding="utf-8",
    )
    night = make_again(scene)
    night.add(ADA)
    night.tick("activation")

    (one,) = explained(night).coming

    # Noon in Berlin.
    assert (one.at, one.kind, one.reason) == (BEGIN.replace(hour=11), "on its way", "quiet_hours")


def make_again(scene: Scene) -> Scene:
    """Read the project's files again."""
    settings = load(scene.root, LIVE_ENVIRON)
    return Scene(scene.engine, scene.root, settings, load_project(settings), scene.now)


@pytest.mark.parametrize("loop", ["win_back", None])
def test_a_pause_is_what_somebody_new_waits_for(scene: Scene, loop: str | None) -> None:
    scene.add(ADA, dormant=1)
    transaction(scene.engine, lambda c: controls.pause(c, loop, scene.now))
    scene.refresh("win_back")
    scene.world("win_back").reserve(LIVE)

    found = explained(scene)

    assert steps_to_come(found) == [("nudge", "held", "paused"), ("last_call", "follows", None)]
    assert found.paused == (loop is None)
    assert found.happened == ()


def test_after_a_pause_the_next_tick_decides(scene: Scene) -> None:
    scene.add(ADA, dormant=1)
    transaction(scene.engine, lambda c: controls.pause(c, "win_back", scene.now))
    scene.refresh("win_back")
    scene.world("win_back").reserve(LIVE)
    transaction(scene.engine, lambda c: controls.resume(c, "win_back", scene.now))

    assert explained(scene).coming[0] == Coming(BEGIN, "win_back", "nudge", "new", None, None)


def test_a_gate_holds_those_who_are_to_be_asked_again_until_a_person_lets_them_pass(scene: Scene) -> None:
    scene.add(ADA, dormant=1, email=None)
    scene.tick("win_back")
    before = explained(scene).coming[0]
    win_back = StepScope(LIVE.name, "win_back", "nudge")
    said: dict[GateName, str] = {"fresh": "users is old.", "volume": "It is much."}
    transaction(scene.engine, lambda c: ledger.hold(c, win_back, "fresh", None, said))

    held = explained(scene).coming[0]
    transaction(scene.engine, lambda c: ledger.accept(c, win_back, ["fresh"]))
    held_by_another = explained(scene).coming[0]
    transaction(scene.engine, lambda c: ledger.accept(c, win_back, ["volume"]))

    assert (before.kind, before.reason) == ("asked again", "no_address")
    assert held == Coming(None, "win_back", "nudge", "held", "fresh", "users is old. It is much.")
    assert held_by_another == Coming(None, "win_back", "nudge", "held", "volume", "It is much.")
    assert explained(scene).coming[0] == before


def test_what_follows_stands_at_its_moment_among_all_that_comes(scene: Scene) -> None:
    monthly = loop("activation", "SELECT id FROM users WHERE plan = 'team'", repeat="30d")
    (scene.root / "loops" / "activation.yaml").write_text(monthly, encoding="utf-8")
    scene = make_again(scene)
    scene.add(ADA)
    scene.tick("activation")
    scene.change(ADA, plan="free", dormant=1)
    scene.after(days=1)
    scene.refresh("activation")
    scene.change(ADA, plan="team")
    scene.tick("win_back")
    scene.after(days=1)
    scene.tick("activation")

    found = explained(scene)

    assert about(found, "activation").reason == "repeat"
    assert [(one.loop, one.kind) for one in found.coming] == [("win_back", "follows"), ("activation", "asked again")]


def test_who_has_entered_since_the_last_tick_is_new_to_the_step(scene: Scene) -> None:
    scene.add(ADA, dormant=1)
    scene.refresh("win_back")

    (new, follows) = explained(scene).coming

    assert new == Coming(BEGIN, "win_back", "nudge", "new", None, None)
    assert (follows.step, follows.kind) == ("last_call", "follows")


def test_a_later_step_follows_what_was_mailed_at_its_day(scene: Scene) -> None:
    scene.add(ADA, dormant=1)
    scene.tick("win_back")
    scene.after(days=1)

    assert explained(scene).coming == (
        Coming(BEGIN + timedelta(days=7), "win_back", "last_call", "follows", None, None, timedelta(days=7)),
    )


def test_a_row_that_triggered_and_was_not_decided_yet_is_new_too(scene: Scene) -> None:
    scene.add(ADA, dormant=1)
    scene.find_rows("win_back", 1)
    scene.tick("win_back")
    scene.after(days=7)
    scene.find_rows("win_back", 1)

    assert ("last_call", "new", None) in steps_to_come(explained(scene))


def test_who_left_since_they_were_deferred_is_told_so(scene: Scene) -> None:
    everything_happens(scene, ADA)
    one_is_in_doubt(scene, ADA)
    scene.change(ADA, dormant=1)
    scene.tick("win_back")
    scene.change(ADA, dormant=0)
    scene.after(days=1)
    scene.refresh("win_back")

    assert steps_to_come(explained(scene)) == [("nudge", "asked again", "left_segment")]


def test_each_part_of_a_plain_condition_is_evaluated_for_the_user(scene: Scene) -> None:
    scene.add(ADA, plan="team")
    scene.refresh("upgrade")

    upgrade = not_in(explained(scene), "upgrade")

    assert upgrade.was_inside is False
    plan, created, invoices = upgrade.parts
    assert plan == Checked("u.plan = 'free'", False, (("plan", "team"),))
    assert (created.part, created.holds) == ("u.created_at < NOW() - INTERVAL 7 DAY", True)
    assert invoices == Checked("NOT EXISTS (SELECT 1 FROM invoices i WHERE i.user_id = u.id)", None)


def test_the_clock_of_a_part_is_that_of_the_last_look(scene: Scene) -> None:
    scene.add(ADA, plan="team", created_at=BEGIN - timedelta(days=6))
    scene.refresh("upgrade")
    scene.after(days=30)

    _, created, _ = not_in(explained(scene), "upgrade").parts

    assert created.holds is False


def test_nothing_is_no_yes(scene: Scene) -> None:
    scene.add(ADA, plan=None)
    scene.refresh("upgrade")

    plan, *_ = not_in(explained(scene), "upgrade").parts

    assert plan == Checked("u.plan = 'free'", False, (("plan", None),))


ODD = [
    pytest.param("u.name LIKE '%less%' AND u.plan LIKE 't_a%'", [False, True], id="percent signs"),
    pytest.param("LOWER(u.name) LIKE '%love%' AND `plan` <=> NULL", [True, False], id="functions and names"),
    pytest.param("u.name = 'a:b' AND u.plan IN ('team', ':as_of')", [False, True], id="colons"),
    pytest.param("(u.plan = 'team' OR u.vip = 1) AND NOT u.staff", [True, True], id="an OR, and a number as a truth"),
    pytest.param(
        "u.created_at BETWEEN NOW() - INTERVAL 200 DAY AND NOW() AND u.email IS NOT NULL", [True, True], id="BETWEEN"
    ),
    pytest.param("CASE WHEN u.vip = 1 AND u.staff = 1 THEN 1 ELSE 0 END = 0 AND u.vip = 0", [True, True], id="CASE"),
    pytest.param("u.offers_at < NOW() AND u.vip = 0", [False, True], id="NULL"),
    pytest.param("u.id IN (SELECT user_id FROM invoices) AND u.vip = 0", [None, True], id="another table"),
]


@pytest.mark.parametrize(("where", "holds"), ODD)
def test_parts_are_evaluated_as_their_author_meant_them(scene: Scene, where: str, holds: list[bool | None]) -> None:
    (scene.root / "loops" / "odd.yaml").write_text(
        loop("odd", f"SELECT u.id, u.plan FROM users u WHERE {where} ORDER BY u.id"), encoding="utf-8"
    )
    again = make_again(scene)
    again.add(ADA)

    assert [part.holds for part in not_in(explained(again), "odd").parts] == holds


def test_a_part_that_the_database_cannot_evaluate_costs_the_others_nothing(scene: Scene) -> None:
    where = "JSON_EXTRACT(u.name, '$.a') = 1 AND u.plan = 'team'"
    (scene.root / "loops" / "odd.yaml").write_text(
        loop("odd", f"SELECT u.id FROM users u WHERE {where}"), encoding="utf-8"
    )
    again = make_again(scene)
    again.add(ADA)

    broken, other = not_in(explained(again), "odd").parts

    # MariaDB takes what is no JSON for NULL; the others refuse it.
    assert broken.holds is None or (is_mariadb(scene.engine) and broken.holds is False)
    assert other.holds is True


def is_mariadb(engine: Engine) -> bool:
    return not is_sqlite(engine) and capabilities(engine).product == "MariaDB"


def test_an_address_that_a_part_reads_is_not_shown(scene: Scene) -> None:
    (scene.root / "loops" / "odd.yaml").write_text(
        loop("odd", "SELECT id FROM users WHERE Email LIKE 'x%' AND email <> name"), encoding="utf-8"
    )
    again = make_again(scene)
    again.add(ADA)

    first, second = not_in(explained(again), "odd").parts

    assert (first.holds, first.values) == (False, ())
    assert (second.holds, second.values) == (True, (("name", "Ada Lovelace"),))


def test_the_key_of_a_user_may_be_bytes(engine: Engine, tmp_path: Path) -> None:
    scene = make_scene(engine, tmp_path / "project", BEGIN, key="VARBINARY(16)", environ=LIVE_ENVIRON)
    key = bytes([0, 255] * 8)
    scene.add(key, email="ada@example.com", vip=1)
    scene.tick("vip")
    scene.refresh("upgrade")

    by_key = reading(engine, lambda c: find(c, scene.settings, "00ff" * 8).keys)
    found = explained(scene, by_key[0])

    assert by_key == (key,)
    assert found.person.user == "00ff" * 8
    assert about(found, "vip").outcome == "accepted"
    assert not_in(found, "upgrade").parts[0].holds is False


def test_a_condition_that_is_no_plain_select_has_no_parts(scene: Scene) -> None:
    scene.add(ADA)
    scene.refresh("grouped")

    assert not_in(explained(scene), "grouped").parts == ()


def test_who_left_a_loop_is_told_when_and_why(scene: Scene) -> None:
    everything_happens(scene, ADA)

    vip = not_in(explained(scene), "vip")

    assert (vip.left_at, vip.left_because, vip.was_inside) == (scene.now, "left", True)
    assert vip.as_of == scene.now


def test_a_user_with_thousands_of_decisions_is_not_read_whole(scene: Scene) -> None:
    many = 3_000
    scene.add(ADA)
    rows = [
        {
            "mode": "live",
            "loop": "activation",
            "step": "main",
            "user_id": ADA,
            "occurrence": str(n),
            "send_id": f"{n:032x}",
            "state": "skipped",
            "reason": "once",
            "as_of": BEGIN - timedelta(hours=n),
            "decided_at": BEGIN,
        }
        for n in range(many)
    ]
    with scene.engine.begin() as connection:
        connection.execute(insert(sends), rows)
    fetched = 0

    @event.listens_for(scene.engine, "after_cursor_execute")
    def count(_c: object, cursor: object, *_rest: object) -> None:
        nonlocal fetched
        fetched += max(getattr(cursor, "rowcount", 0), 0)

    found = explained(scene)

    assert [one.at for one in found.happened] == [BEGIN - timedelta(hours=n) for n in range(10)]
    assert found.more
    # SQLite's driver does not say how many rows there are.
    assert fetched < 300 or is_sqlite(scene.engine)

    pages, last = [], None
    page_asked = asked(scene, limit=1_000)
    names = reading(scene.engine, page_asked.known)
    while True:
        page, last = reading(scene.engine, lambda c, last=last: older(c, page_asked, names, ADA, last))  # type: ignore[misc]
        pages.append(page)
        if last is None:
            break

    assert [len(page) for page in pages] == [1_000, 1_000, 1_000, 0]
    assert len({one.send_id for page in pages for one in page}) == many


def test_only_the_loop_that_was_asked_about_is_told(scene: Scene) -> None:
    everything_happens(scene, ADA)

    found = explained(scene, loop="vip")

    assert {one.loop for one in found.happened} == {"vip"}
    assert {one.loop for one in found.outside} == {"vip"}


def test_a_loop_whose_file_is_gone_is_still_told_of(scene: Scene) -> None:
    everything_happens(scene, ADA)
    (scene.root / "loops" / "vip.yaml").unlink()
    again = make_again(scene)

    found = explained(again)

    assert about(found, "vip").outcome == "accepted"
    assert "vip" not in {one.loop for one in found.outside}


def test_a_search_of_old_memberships_that_takes_too_long_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_sqlite(scene.engine):
        pytest.skip("on a server this search takes no time that can be measured")
    scene.add(ADA)
    history = [
        {
            "segment": "vip.main",
            "exited_at": BEGIN - timedelta(seconds=n),
            "user_id": n,
            "entered_at": BEGIN,
        }
        for n in range(200_000)
    ]
    with scene.engine.begin() as connection:
        connection.execute(insert(segment_members), history)
    monkeypatch.setattr("skene_dagster.explain.explaining.LONGEST", timedelta(0))

    vip = not_in(explained(scene), "vip")

    assert vip.was_inside is None


@pytest.mark.parametrize("key", ["VARCHAR(64)", "BIGINT"])
def test_users_are_found_by_their_key_and_by_their_address(engine: Engine, tmp_path: Path, key: str) -> None:
    scene = make_scene(engine, tmp_path / "project", BEGIN, key=key, environ=LIVE_ENVIRON)
    is_text = key != "BIGINT"
    first, second, third = ("ada", "b@example.com", "c") if is_text else (1, 2, 3)
    scene.add(first, email="A@example.com ")
    scene.add(second, email="a@EXAMPLE.com")
    scene.add(third, email="b@example.com")

    def keys(word: str) -> tuple[object, ...]:
        return reading(engine, lambda c: find(c, scene.settings, word).keys)

    assert keys(str(first)) == (first,)
    assert set(keys("a@example.com")) == {first, second}
    # To a text key an address may be the key of one user and the address of another: both are meant.
    assert set(keys("b@example.com")) == ({second, third} if is_text else {third})
    assert keys("nobody@example.com") == ()
    assert keys("9" * 40) == ()
    assert keys("-" + "9" * 40) == ()
    assert keys("no such key") == ()
    assert keys("\udcff") == ()
    assert keys("1_") == keys("0_1") == keys("\N{FULLWIDTH DIGIT ONE}") == ()
    assert keys("x" * 5_000) == ()

    # Who has left something may be asked about by their key; by what nobody can be called, nobody is.
    def former(word: str) -> object:
        return reading(engine, lambda c: find(c, scene.settings, word).former_key)

    assert (former("77"), former("\udcff")) == ("77" if is_text else 77, None)


def test_a_step_that_waits_for_approval_says_so(scene: Scene) -> None:
    limits = scene.settings.limits.model_copy(update={"first_wave": 0})
    scene.settings = scene.settings.__class__(**{**vars(scene.settings), "limits": limits})
    scene.add(ADA, dormant=1)
    scene.refresh("win_back")
    scene.world("win_back").reserve(LIVE)

    assert steps_to_come(explained(scene))[0] == ("nudge", "held", "first_wave")


def test_nothing_is_written(scene: Scene) -> None:
    everything_happens(scene, ADA)
    written: list[str] = []

    @event.listens_for(scene.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        head = re.sub(r"^(/\*.*?\*/\s*)*", "", statement).split(maxsplit=1)[0].upper()
        if head not in ("SELECT", "SHOW", "WITH", "PRAGMA", "BEGIN", "KILL"):
            written.append(statement)

    explained(scene)

    assert written == []


def test_the_suppression_of_somebody_else_says_nothing_about_them(scene: Scene) -> None:
    scene.add(ADA)
    transaction(
        scene.engine,
        lambda c: suppress(c, [Suppression("1:else", "all", BEGIN, "bounce", "x", until=OPEN)], scene.now),
    )

    assert explained(scene).may_be_mailed


def test_the_ledger_reads_the_steps_of_a_user_in_parts(scene: Scene) -> None:
    everything_happens(scene, ADA)
    many = [(f"loop_{n}", "main") for n in range(people.AT_ONCE + 5)]
    names = [*many, ("vip", "main"), ("activation", "main")]

    found = reading(scene.engine, lambda c: people.decided_about(c, "live", names, ADA, limit=5))

    assert [one.loop for one in found] == ["vip", "activation"]
