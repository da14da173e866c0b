"""From what an author wrote to what it means: everything resolved, everything impossible refused with its line."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from skene_dagster.documents import Document, parse
from skene_dagster.errors import DocumentError, DocumentErrors, LoopInvalid, LoopSyntaxError, Place
from skene_dagster.loops.files.loaders import load_file
from skene_dagster.loops.model import EventTrigger, Loop
from skene_dagster.loops.plan import AtLevel, Block, Condition, Email, InState, LoopPlan, Query, Reached, UsedUp
from skene_dagster.loops.planning.expressions import columns_of as columns_read
from skene_dagster.loops.planning.faults import Faults
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.loops.planning.triggers import plan_trigger
from skene_dagster.loops.times.retry_delays import RecoveryPlan
from skene_dagster.loops.triggers import After, Calls, Manual, Materialized, Rows, Schedule, Trigger
from skene_dagster.settings import (
    Environment,
    Events,
    Feature,
    Limits,
    Milestone,
    MomentColumn,
    Sender,
    Settings,
    Users,
)
from skene_dagster.yaml_document import parse_yaml

ROOT = Path(__file__).parents[2]
SENDER = {
    "from": "Skene <hello@example.com>",
    "postal_address": "1 Example Street",
    "unsubscribe_url": "https://example.com/unsubscribe?u={{user.id}}",
}
LOOP = """\
type: retention
steps:
  - trigger:
      type: schedule
      cron: 0 9 * * *
    condition:
      type: query
      query: SELECT id, plan FROM users
    action:
      type: email
      template: hello
"""
TWO = """\
type: retention
steps:
  - name: nudge
    trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello}
  - name: last_call
    trigger: {type: after, step: nudge, wait: 5d}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello}
"""


@pytest.mark.parametrize(
    ("sender", "providers"),
    [
        pytest.param({}, ["smtp", "resend"], id="of the format"),
        pytest.param({"provider": "smtp"}, ["smtp", "smtp"], id="of skene.yaml"),
    ],
)
def test_each_step_sends_by_its_own_provider_else_by_that_of_the_project(
    sender: dict[str, str], providers: list[str]
) -> None:
    loop = plan(TWO.replace("type: email, ", "type: email, provider: smtp, ", 1), sender=SENDER | sender)

    assert [step.email.provider for step in loop.steps if step.email is not None] == providers


EXPORT = Feature(title="Export", events=["exported"])
FIRST = Milestone(title="First export", event="exported")


def settings(
    *,
    sender: dict[str, Any] = SENDER,
    environment: Environment = "development",
    features: dict[str, Feature] | None = None,
    milestones: dict[str, Milestone] | None = None,
    **users: Any,
) -> Settings:
    return Settings(
        root=ROOT,
        users=Users.model_validate(users),
        features=features or {},
        milestones=milestones or {},
        sender=Sender.model_validate(sender),
        limits=Limits(),
        loops=ROOT / "loops",
        templates=ROOT / "templates",
        outbox=ROOT / ".skene/outbox",
        spool=ROOT / ".skene/spool",
        database_url="sqlite://",
        environment=environment,
        redirect_to=None,
    )


def plan(text: str, **configured: Any) -> LoopPlan:
    document = parse_yaml(text, "loops/x.yaml", LoopSyntaxError)
    return plan_loop(parse(Loop, document, LoopInvalid), document, settings(**configured))


def faults(text: str, **configured: Any) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        plan(text, **configured)
    return [str(error) for error in caught.value.errors]


def file_plan(file: str, **configured: Any) -> LoopPlan:
    loaded = load_file(ROOT / file, ROOT)
    assert loaded.error is None
    assert loaded.loop is not None
    assert loaded.document is not None
    return plan_loop(loaded.loop, loaded.document, settings(**configured))


def changed(old: str, new: str, text: str = LOOP) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def only_email(loop: LoopPlan) -> Email:
    (step,) = loop.steps
    assert isinstance(step.action, Email)
    return step.action


# The page's loop


def test_the_page_s_file_is_ours_to_the_letter() -> None:
    text = (ROOT / "loops/skene.config.ts").read_text(encoding="utf-8")

    assert text.startswith("// skene.config.ts - The Automated Way\nimport { defineLoop } from '@skene/sdk';\n")
    assert text.endswith("    backoff: 'exponential'\n  }\n});\n")
    assert len(text.splitlines()) == 33


def test_the_page_s_loop_means_the_same_in_every_spelling() -> None:
    typescript, yaml, python = (
        file_plan(file) for file in ("loops/skene.config.ts", "tests/loops/seed.yaml", "tests/loops/seed.py")
    )

    assert typescript == yaml
    assert typescript == python
    assert hash(typescript) == hash(python)


def test_the_page_s_loop_can_run() -> None:
    loop = file_plan("loops/skene.config.ts")

    (step,) = loop.steps
    assert (loop.name, step.name, loop.goals) == ("retention", "main", ())
    assert step.trigger == Schedule("0 9 * * *", "UTC")
    assert step.timeout == timedelta(minutes=10)
    assert isinstance(step.condition, Query)
    assert step.condition.tables == ("users",)
    assert step.condition.binds == ("as_of",)
    assert only_email(loop) == Email(
        provider="resend",
        template="re_engagement",
        personalization=(("name", "{{user.name}}"), ("lastActivity", "{{user.last_activity_at}}")),
        user_columns=("id", "last_activity_at", "name"),
        row_columns=(),
        repeat=timedelta(days=30),
        set=(),
        topic="product",
    )
    assert loop.recovery == RecoveryPlan(3, "exponential", timedelta(seconds=30))
    assert loop.on_doubt == "skip"


def test_the_activation_loop_asks_its_query_about_each_new_user() -> None:
    loop = file_plan("tests/loops/activation.ts")

    (step,) = loop.steps
    assert step.trigger == Rows("users", "id", "id", MomentColumn(column="created_at"), changes=False, name=None)
    assert isinstance(step.condition, Query)
    assert (step.condition.by_row, step.condition.key, step.condition.tables) == (True, "user_id", ("user_actions",))
    assert "FROM skene_trigger CROSS JOIN user_actions WHERE user_id = skene_trigger.skene_row_key" in " ".join(
        step.condition.mysql.split()
    )
    assert step.timeout == timedelta(minutes=5)
    assert step.email is not None
    assert step.email.repeat == "every_entry"


def test_the_freemium_loop_blocks_who_has_used_up_his_plan() -> None:
    loop = file_plan("tests/loops/freemium.ts", plan="plan")

    (step,) = loop.steps
    assert step.trigger == Calls("/api/features/*", "POST")
    assert step.condition == UsedUp((("free", 100.0),), timedelta(days=30), "POST /api/features/*")
    assert isinstance(step.action, Block)
    assert step.action.message == "You've reached your free tier limit. Upgrade to continue."
    assert step.email is not None
    assert step.email.template == "upgrade_prompt"
    assert loop.recovery.retries == 0


# What is resolved


def test_everything_written_is_in_the_plan() -> None:
    text = TWO + (
        "name: win_back\nopinion: Bring people back.\ngoal: {returns_within: 14d}\nholdout: 10%\npriority: 10\n"
        "start: new_only\nrecovery: {retries: 5, backoff: linear, delay: 1m}\non_doubt: resend\n"
    )

    loop = plan(text)

    assert (loop.name, loop.type, loop.opinion) == ("win_back", "retention", "Bring people back.")
    assert [step.name for step in loop.steps] == ["nudge", "last_call"]
    assert loop.steps[1].trigger == After("nudge", timedelta(days=5))
    assert [(goal.kind, goal.value, goal.within) for goal in loop.goals] == [("returns", "", timedelta(days=14))]
    assert (loop.holdout, loop.priority, loop.start) == (0.1, 10, "new_only")
    assert loop.recovery == RecoveryPlan(5, "linear", timedelta(minutes=1))
    assert loop.on_doubt == "resend"


@pytest.mark.parametrize(
    ("condition", "planned"),
    [
        ("{type: level, is: dormant, for: 2w}", AtLevel("dormant", timedelta(days=14))),
        ("{type: feature, name: export, state: adopted}", InState("export", "adopted", None)),
        ("{type: milestone, name: first}", Reached("first")),
        (
            "{type: usage, limit: {free: 1.5, paid: .inf}, period: 1d}",
            UsedUp((("free", 1.5),), timedelta(days=1), None),
        ),
    ],
)
def test_a_condition_says_what_it_selects(condition: str, planned: Condition) -> None:
    text = TWO.replace("condition: {type: query, query: SELECT id FROM users}", f"condition: {condition}")

    loop = plan(text, plan="plan", features={"export": EXPORT}, milestones={"first": FIRST})

    assert loop.steps[0].condition == planned


@pytest.mark.parametrize(
    ("trigger", "planned"),
    [
        (
            "{type: event, name: signed_up}",
            Rows(
                "skene_events",
                "event_id",
                "user_id",
                MomentColumn(column="received_at"),
                changes=False,
                name=("name", "signed_up"),
            ),
        ),
        ("{type: manual}", Manual()),
        ("{type: asset, asset: dbt/orders}", Materialized(("dbt/orders",), each=False)),
        ("{type: asset, asset: [a, b/c], wait_for_fresh: true}", Materialized(("a", "b/c"), each=True)),
        ("{type: api, endpoint: /search}", Calls("/search", "POST")),
        (
            "{type: database, table: app.orders, event: update}",
            Rows("app.orders", "id", "user_id", MomentColumn(column="updated_at"), changes=True, name=None),
        ),
        (
            "{type: database, table: orders, event: insert, key: uuid, user: buyer, at: placed_at}",
            Rows("orders", "uuid", "buyer", MomentColumn(column="placed_at"), changes=False, name=None),
        ),
    ],
)
def test_a_trigger_says_what_runs_the_step(trigger: str, planned: Trigger) -> None:
    loop = plan(changed("{type: after, step: nudge, wait: 5d}", trigger, TWO))

    assert loop.steps[1].trigger == planned


ANY = TWO.replace("SELECT id", "SELECT *")
SECONDS = {"column": "made", "unit": "seconds"}
AS_SECONDS = MomentColumn(column="made", unit="seconds")


@pytest.mark.parametrize(
    ("said", "users", "at"),
    [
        pytest.param("event: insert", {}, MomentColumn(column="created_at"), id="as usual"),
        pytest.param("event: insert", {"created_at": SECONDS}, AS_SECONDS, id="as skene.yaml has it"),
        pytest.param("event: insert, at: made", {"created_at": SECONDS}, AS_SECONDS, id="by the name it has there"),
        pytest.param("event: insert, at: x", {"created_at": SECONDS}, MomentColumn(column="x"), id="another column"),
        pytest.param("event: insert, at: x", {}, MomentColumn(column="x"), id="a column that only the loop names"),
        pytest.param(
            "event: insert, at: {column: made, unit: milliseconds}",
            {"created_at": SECONDS},
            MomentColumn(column="made", unit="milliseconds"),
            id="in another unit",
        ),
        pytest.param("event: update", {"updated_at": SECONDS}, AS_SECONDS, id="of changes"),
        pytest.param("event: update, at: made", {"updated_at": SECONDS}, AS_SECONDS, id="of changes, by its name"),
    ],
)
def test_the_moment_of_a_users_row_is_the_mapped_one_unless_the_trigger_names_another(
    said: str, users: dict[str, Any], at: MomentColumn
) -> None:
    trigger = f"{{type: database, table: users, {said}}}"

    loop = plan(changed("{type: after, step: nudge, wait: 5d}", trigger, ANY), key="no", **users)

    assert loop.steps[1].trigger == Rows("users", "no", "no", at, changes="update" in said, name=None)


def test_another_table_has_nothing_of_what_is_said_of_the_users() -> None:
    trigger = "{type: database, table: orders, event: insert}"

    loop = plan(changed("{type: after, step: nudge, wait: 5d}", trigger, ANY), key="no", created_at=SECONDS)

    usual = MomentColumn(column="created_at")
    assert loop.steps[1].trigger == Rows("orders", "id", "user_id", usual, changes=False, name=None)


def test_changes_of_users_are_told_by_the_column_that_set_leaves_as_it_is() -> None:
    trigger = "{type: database, table: users, event: update, at: other}"

    (fault,) = faults(changed("{type: after, step: nudge, wait: 5d}", trigger, TWO), updated_at="changed")

    assert "Add `updated_at: <the column>` under `users:`" in fault


def test_an_event_is_as_old_as_it_happened_where_no_column_says_when_it_arrived() -> None:
    events = Events.model_validate({"table": "ev", "at": "made"})
    document = Document("x.yaml", {})

    trigger = plan_trigger(
        EventTrigger(type="event", name="x"),
        (),
        (),
        replace(settings(), events=events),
        Faults(document),
        per_account=False,
    )

    assert trigger == Rows("ev", "id", "user_id", MomentColumn(column="made"), changes=False, name=("name", "x"))


def test_about_a_row_each_is_mailed_once_unless_the_author_says_otherwise() -> None:
    by_event = changed("{type: after, step: nudge, wait: 5d}", "{type: event, name: x}", TWO)
    once = "{type: email, template: hello, repeat: once}".join(by_event.rsplit("{type: email, template: hello}", 1))

    actions = [plan(text).steps[1].action for text in (by_event, once)]

    assert [action.repeat for action in actions if isinstance(action, Email)] == ["every_entry", "once"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "{type: query, query: SELECT id FROM users}",
            "{type: feature, name: exprot, state: tried}",
            "'exprot' is not a feature of skene.yaml. Use one of: export. Did you mean 'export'?",
            id="no such feature",
        ),
        pytest.param(
            "{type: query, query: SELECT id FROM users}",
            "{type: milestone, name: first}",
            "'first' is not a milestone of skene.yaml. skene.yaml has no milestones; add it there",
            id="no milestones",
        ),
        pytest.param(
            "{type: query, query: SELECT id FROM users}",
            "{type: feature, name: export, state: untried, for: 7d}",
            "The time without trying it is counted from sign-up. Add `created_at: <the column>` under `users:`",
            id="untried since when",
        ),
        pytest.param(
            "{type: query, query: SELECT id FROM users}",
            "{type: usage, limit: {free: 1}, period: 1d}",
            "It is unknown which plan a user is on. Add `plan: <the column>` under `users:`",
            id="no plan",
        ),
        pytest.param(
            "{type: query, query: SELECT id FROM users}",
            "{type: usage, limit: {free: 1}, period: 36h}",
            "The period is not a number of whole days. Uses are counted by the day (UTC): write 1d, 7d or 30d.",
            id="a day and a half",
        ),
        pytest.param(
            "{type: after, step: nudge, wait: 5d}",
            "{type: database, table: users, event: update}",
            "An action's `set` is an update of the users table too, and must not trigger this step.",
            id="updates of users",
        ),
        pytest.param(
            "{type: email, template: hello}",
            "{type: block, message: Stop}",
            "'block' applies to the members of a segment, not to single rows.",
            id="block for a row",
        ),
    ],
)
def test_what_the_settings_do_not_carry_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        plan(new.join(TWO.rsplit(old, 1)), features={"export": EXPORT})

    assert said in " ".join(str(refused.value).split())


def test_a_step_that_follows_another_rides_on_the_ticks_of_the_first() -> None:
    loop = plan(TWO)

    assert loop.root_of(loop.steps[1]) == loop.steps[0]


@pytest.mark.parametrize(
    ("written", "share"), [("10%", 0.1), ("33.3 %", 0.333), ("0.25", 0.25), ("0", 0.0), ("0%", 0.0), ("99.9%", 0.999)]
)
def test_a_holdout_is_a_share(written: str, share: float) -> None:
    assert plan(f"{LOOP}holdout: {written}\n").holdout == share


@pytest.mark.parametrize(
    ("written", "meant"),
    [("once", "once"), ("every_entry", "every_entry"), ("90d", timedelta(days=90))],
)
def test_a_repeat_is_a_word_or_a_duration(written: str, meant: object) -> None:
    assert only_email(plan(f"{LOOP}      repeat: {written}\n")).repeat == meant


def test_names_that_are_the_author_s_are_never_renamed() -> None:
    text = LOOP + "      personalization: {firstName: hello, last_name: '{{row.plan}}'}\n      set: {mailedAt: 1}\n"

    email = only_email(plan(text))

    assert email.personalization == (("firstName", "hello"), ("last_name", "{{row.plan}}"))
    assert email.set == (("mailedAt", 1),)


def test_camel_case_and_snake_case_mean_the_same() -> None:
    snake = plan(TWO + "goal: {returns_within: 1d}\n")
    camel = plan(TWO + "goal: {returnsWithin: 1d}\n")

    assert snake == camel


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        pytest.param("loop.yaml", "type: retention", "type: retention\non_doubt: resend", id="YAML"),
        pytest.param("loop.yaml", "type: retention", "type: retention\nonDoubt: resend", id="YAML, camelCase"),
        pytest.param("loop.ts", "type: 'retention',", "type: 'retention',\n  onDoubt: 'resend',", id="TypeScript"),
        pytest.param("loop.py", 'type="retention",', 'type="retention",\n    on_doubt="resend",', id="Python"),
    ],
)
def test_a_loop_says_in_each_language_what_becomes_of_what_is_in_doubt(
    tmp_path: Path, name: str, before: str, after: str
) -> None:
    source = "loops/skene.config.ts" if name.endswith(".ts") else f"tests/loops/seed{Path(name).suffix}"
    text = (ROOT / source).read_text(encoding="utf-8")
    (tmp_path / name).write_text(changed(before, after, text), encoding="utf-8")

    assert [file_plan(source).on_doubt, file_plan(str(tmp_path / name)).on_doubt] == ["skip", "resend"]


def test_what_becomes_of_doubt_is_one_of_two_things() -> None:
    (fault,) = faults(LOOP + "on_doubt: retry\n")

    assert fault == ("loops/x.yaml:12  on_doubt\n  'retry' is not an on_doubt. Use one of: skip, resend.")


@pytest.mark.parametrize(
    ("written", "user", "row"),
    [
        pytest.param("{{user.name}}", {"name"}, set(), id="a column"),
        pytest.param("Dear {{ user.name | default('friend') }}!", {"name"}, set(), id="a filter and text"),
        pytest.param("{{ user['first_name'] ~ ' ' ~ user.last_name }}", {"first_name", "last_name"}, set(), id="two"),
        pytest.param(
            "{{ user.seen.year if user.seen is defined else row.plan }}", {"seen"}, {"plan"}, id="a condition"
        ),
        pytest.param("{{ row.plan }}", set(), {"plan"}, id="a column of the query"),
        pytest.param("friend", set(), set(), id="a text"),
        pytest.param("{{ 1 + 1 }}", set(), set(), id="a number"),
    ],
)
def test_the_columns_that_an_email_needs_are_known(written: str, user: set[str], row: set[str]) -> None:
    text = f'{LOOP}      personalization: {{x: "{written}"}}\n'

    email = only_email(plan(text))

    assert set(email.user_columns) == user | {"id"}
    assert set(email.row_columns) == row


def test_the_columns_of_the_unsubscribe_address_are_read_for_marketing_only() -> None:
    marketing = plan(LOOP)
    asked_for = plan(LOOP + "      transactional: true\n")

    assert only_email(marketing).user_columns == ("id",)
    assert only_email(asked_for).user_columns == ()


def test_any_column_may_come_from_a_query_whose_columns_only_the_database_knows() -> None:
    text = changed("id, plan", "*") + "      personalization: {x: '{{row.anything}}'}\n"

    assert only_email(plan(text)).row_columns == ("anything",)


def test_a_step_that_waits_for_a_row_may_ask_for_it() -> None:
    text = changed("cron: 0 9 * * *", "x: 1").replace(
        "type: schedule\n      x: 1", "type: event\n      name: signed_up"
    )
    loop = plan(changed("FROM users", "FROM users WHERE id = $1", text))

    assert isinstance(loop.steps[0].condition, Query)
    assert loop.steps[0].condition.by_row


# What is refused: what is replaced in LOOP by what, the first line of the message, and words of the rest.
IMPOSSIBLE = [
    pytest.param("type: ret", "name: Win\ntype: ret", ":1  name", "'Win' cannot be the name of a loop", id="capital"),
    pytest.param("type: ret", "name: win-back\ntype: ret", ":1  name", "single underscores", id="hyphen"),
    pytest.param("type: ret", "name: win__back\ntype: ret", ":1  name", "single underscores", id="two underscores"),
    pytest.param("type: ret", "name: _win\ntype: ret", ":1  name", "single underscores", id="underscore first"),
    pytest.param("type: ret", "name: 2win\ntype: ret", ":1  name", "a letter first", id="digit first"),
    pytest.param("type: ret", "name: b\u00e9\ntype: ret", ":1  name", "lower-case letters", id="accent"),
    pytest.param("type: ret", f"name: {'a' * 49}\ntype: ret", ":1  name", "at most 48 characters", id="49 letters"),
    pytest.param("type: ret", "name: 'win back'\ntype: ret", ":1  name", "single underscores", id="blank"),
    pytest.param("type: ret", "name: class\ntype: ret", ":1  name", "a Python keyword", id="word of Python"),
    pytest.param("type: ret", "name: config\ntype: ret", ":1  name", "reserved by Dagster", id="word of Dagster"),
    pytest.param("- trigger:", "- name: 'a b'\n    trigger:", ":3  step 1, name", "the name of a step", id="step"),
    pytest.param(
        "- trigger:",
        "- renamedFrom: A\n    trigger:",
        ":3  step 1, renamedFrom",
        "the name of a step",
        id="former name",
    ),
    pytest.param(
        "- trigger:", "- renamed_from: main\n    trigger:", ":3  step 1, renamed_from", "is still a step", id="former"
    ),
    pytest.param(
        "0 9 * * *",
        "0 22-2 * * *",
        ":5  step 1, trigger.cron",
        "'0 22-2 * * *' is not a cron expression. The range 22-2 runs backwards: write 22-23,0-2.",
        id="a range that runs backwards",
    ),
    pytest.param(
        "* * *\n",
        "* * *\n      timezone: Europe/Berln\n",
        ":6  step 1, trigger.timezone",
        "'Europe/Berln' is not a time zone. Write an IANA name, such as Europe/Berlin. Did you mean 'Europe/Berlin'?",
        id="a zone misspelt",
    ),
    pytest.param(
        "type: schedule\n      cron: 0 9 * * *\n",
        "type: asset\n      asset: [a, dbt//orders]\n",
        ":5  step 1, trigger.asset",
        "'dbt//orders' is not the key of an asset. Write it as Dagster shows it: dbt/orders.",
        id="no key of an asset",
    ),
    pytest.param(
        "type: schedule\n      cron: 0 9 * * *\n",
        "type: asset\n      asset: skene/other/main/sends\n",
        ":5  step 1, trigger.asset",
        "is an asset of these loops, which would wait for themselves.",
        id="an asset of ours",
    ),
    pytest.param(
        "type: schedule\n      cron: 0 9 * * *\n",
        "type: asset\n      asset: a\n      wait_for_fresh: true\n",
        ":6  step 1, trigger.wait_for_fresh",
        "a step waits for the only one anyway.",
        id="one asset to wait for",
    ),
    pytest.param(
        "SELECT id, plan FROM users",
        "DELETE FROM users",
        ":8  step 1, condition.query",
        "DELETE",
        id="a query that writes",
    ),
    pytest.param(
        "SELECT id, plan FROM users", "SELECT name FROM users", ":8  step 1, condition.query", "name", id="no key"
    ),
    pytest.param(
        "FROM users",
        "FROM users WHERE id = $1",
        ":8  step 1, condition.query",
        "$1 is the row that triggered the step, and this trigger has none.",
        id="$1 by the clock",
    ),
    pytest.param(
        "template: hello", "template: hello.mjml", ":11  step 1, action.template", "without folder", id="an ending"
    ),
    pytest.param(
        "template: hello", "template: ../hello", ":11  step 1, action.template", "without folder", id="a folder"
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {x: '{{name}}'}\n",
        ":12  step 1, action.personalization.x",
        "'name' is not something that an email can show. Write {{user.x}}",
        id="a name alone",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {x: '{{user}}'}\n",
        ":12  step 1, action.personalization.x",
        "'user' is not something that an email can show",
        id="a whole user",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {x: '{{user.name'}\n",
        ":12  step 1, action.personalization.x",
        "The expression cannot be read",
        id="an open expression",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {x: '{% if user.a %}b{% endif %}'}\n",
        ":12  step 1, action.personalization.x",
        "Only {{ … }} may be used here",
        id="a statement",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {x: '{{user[user.name]}}'}\n",
        ":12  step 1, action.personalization.x",
        "The column's name must be written out",
        id="a computed column",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {x: '{{row.plna}}'}\n",
        ":12  step 1, action.personalization.x",
        "The condition has no column 'plna'. Use one of: id, plan. Did you mean 'plan'?",
        id="a column that the query lacks",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {a-b: x}\n",
        ":12  step 1, action.personalization.a-b",
        "'a-b' cannot be a name in a template",
        id="a name with a hyphen",
    ),
    pytest.param(
        "hello\n",
        "hello\n      personalization: {user: x}\n",
        ":12  step 1, action.personalization.user",
        "'user' cannot be a name in a template",
        id="a name that is taken",
    ),
    pytest.param(
        "hello\n",
        "hello\n      set: {ID: 1}\n",
        ":12  step 1, action.set.ID",
        "the users' key, which",
        id="set the key",
    ),
    pytest.param(
        "hello\n",
        "hello\n      set: {email: x}\n",
        ":12  step 1, action.set.email",
        "the users' address",
        id="set email",
    ),
    pytest.param(
        "hello\n",
        "hello\n      set: {a b: 1}\n",
        ":12  step 1, action.set.a b",
        "not the name of a column",
        id="set a b",
    ),
    pytest.param(
        "hello\n", "hello\n      set: {a: 1, A: 2}\n", ":12  step 1, action.set.A", "'A' is set twice", id="set twice"
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), IMPOSSIBLE)
def test_the_impossible_is_refused_with_its_line(old: str, new: str, place: str, words: str) -> None:
    (fault,) = faults(changed(old, new))

    first, _, rest = fault.partition("\n")
    assert first == f"loops/x.yaml{place}"
    assert words in rest


STEPS = [
    pytest.param("name: last_call", "name: nudge", ":7  step 2, name", "Step 1 is called 'nudge', too", id="one name"),
    pytest.param("  - name: nudge\n    tr", "  - tr", ":3  step 1, name", "The step has no name", id="no name"),
    pytest.param("step: nudge", "step: nugde", ":8  step 2, trigger.step", "Did you mean 'nudge'?", id="no such step"),
    pytest.param(
        "action: {type: email, template: hello}\n  - name: last_call",
        "action: {type: block, message: Stop}\n  - name: last_call",
        ":8  step 2, trigger.step",
        "'nudge' blocks; no step can follow it.",
        id="after a block",
    ),
    pytest.param(
        "  - name: last_call\n",
        "  - name: last_call\n    renamed_from: nudge\n",
        ":8  step 2, renamed_from",
        "'nudge' is still a step of this loop. Name the one that is gone.",
        id="renamed from one that is there",
    ),
    pytest.param(
        TWO,
        TWO.replace("    trigger", "    renamed_from: first\n    trigger"),
        ":9  step 2, renamed_from",
        "'first' is still a step of this loop. Name the one that is gone.",
        id="two renamed from one",
    ),
    pytest.param("step: nudge", "step: last_call", ":8  step 2, trigger.step", "not an earlier step", id="itself"),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), STEPS)
def test_steps_that_do_not_fit_together_are_refused(old: str, new: str, place: str, words: str) -> None:
    found = faults(changed(old, new, TWO))

    first, _, rest = found[0].partition("\n")
    assert first == f"loops/x.yaml{place}"
    assert words in rest


def test_a_step_may_follow_one_that_follows_a_block() -> None:
    text = changed("  - name: nudge\n", "  - name: stop\n", TWO.replace("template: hello", "template: x", 1)).replace(
        "type: email, template: x", "type: block, message: Stop"
    )
    text = text.replace(
        "  - name: last_call\n",
        "  - name: nudge\n    trigger: {type: schedule, cron: 0 9 * * *}\n"
        "    condition: {type: query, query: SELECT id FROM users}\n"
        "    action: {type: email, template: hello}\n  - name: last_call\n",
    )

    assert [step.name for step in plan(text).steps] == ["stop", "nudge", "last_call"]


def test_the_first_step_comes_after_nothing() -> None:
    (fault,) = faults(
        LOOP.replace("type: schedule\n      cron: 0 9 * * *", "type: after\n      step: x\n      wait: 1d")
    )

    assert (
        fault == "loops/x.yaml:5  step 1, trigger.step\n  'x' is not an earlier step. There is no step before this one."
    )


def test_a_fault_in_a_long_query_has_the_line_of_the_query() -> None:
    query = "query: |\n        SELECT id\n        FROM users\n        WHERE NOPE(id)"

    (fault,) = faults(changed("query: SELECT id, plan FROM users", query))

    assert fault.splitlines()[0] == "loops/x.yaml:11  step 1, condition.query"


def test_all_that_is_impossible_is_said_at_once_and_in_order() -> None:
    text = changed("0 9 * * *", "0 9").replace("template: hello", "template: a/b").replace("SELECT id, plan", "DELETE")

    with pytest.raises(DocumentErrors) as caught:
        plan("name: A\n" + text)

    assert [error.place.line for error in caught.value.errors if error.place] == [1, 6, 9, 12]


# What the law asks of a marketing email


def test_a_marketing_email_needs_what_the_law_asks() -> None:
    (fault,) = faults(LOOP, sender={"from": "hello@example.com"})

    assert fault == (
        "loops/x.yaml:9  step 1, action\n"
        "  A marketing email needs sender.postal_address and sender.public_url, which skene.yaml does not have. "
        "Add to skene.yaml, under `sender:`, `postal_address: …`, `public_url: https://…` "
        "(or `unsubscribe_url`); or, if the recipient asked for this mail, `transactional: true` here."
    )


def test_mail_that_was_asked_for_needs_only_a_sender() -> None:
    text = LOOP + "      transactional: true\n"

    assert plan(text, sender={"from": "hello@example.com"}).steps
    (fault,) = faults(text, sender={})
    assert fault == (
        "loops/x.yaml:9  step 1, action\n"
        "  An email needs sender.from, which skene.yaml does not have. "
        "Add to skene.yaml, under `sender:`, `from: Acme <hello@example.com>`."
    )


def test_the_prompt_of_a_block_is_an_email_like_any_other() -> None:
    block = "type: block\n      message: Stop.\n      upgradePrompt: {type: email, template: a/b}"

    (fault,) = faults(changed("type: email\n      template: hello", block))

    assert fault.startswith("loops/x.yaml:12  step 1, action.upgradePrompt.template\n")


@pytest.mark.parametrize(("environment", "accepted"), [("development", True), ("test", True), ("production", False)])
def test_production_unsubscribes_over_https_only(environment: Environment, accepted: bool) -> None:
    sender = SENDER | {"unsubscribe_url": "http://example.com/u/{{user.id}}"}

    if accepted:
        assert plan(LOOP, sender=sender, environment=environment).steps
    else:
        (fault,) = faults(LOOP, sender=sender, environment=environment)
        assert "In production, sender.unsubscribe_url must be https, not 'http://example.com/u/" in fault


@pytest.mark.parametrize(
    ("loop", "unsubscribe_url"),
    [
        pytest.param(LOOP, "https://example.com/u/{{user.id}}", id="https"),
        pytest.param(LOOP, "HTTPS://example.com/u/{{user.id}}", id="https in capitals"),
        pytest.param(f"{LOOP}      transactional: true\n", "http://example.com/u/{{user.id}}", id="no marketing"),
    ],
)
def test_production_takes_https_and_asks_nothing_of_mail_that_was_asked_for(loop: str, unsubscribe_url: str) -> None:
    assert plan(loop, sender=SENDER | {"unsubscribe_url": unsubscribe_url}, environment="production").steps


def test_the_unsubscribe_address_reads_users_only() -> None:
    (row,) = faults(LOOP, sender=SENDER | {"unsubscribe_url": "https://example.com/{{row.id}}"})
    (name,) = faults(LOOP, sender=SENDER | {"unsubscribe_url": "https://example.com/{{id}}"})
    (same,) = faults(LOOP, sender=SENDER | {"unsubscribe_url": "https://example.com/unsubscribe"})

    assert row.startswith("skene.yaml  sender.unsubscribe_url\n  The unsubscribe address cannot read the query's rows.")
    assert name.startswith("skene.yaml  sender.unsubscribe_url\n  'id' is not something that an email can show.")
    assert same.startswith("skene.yaml  sender.unsubscribe_url\n  The unsubscribe address is the same for everyone.")


def test_the_columns_that_are_never_written_are_those_of_the_mapping() -> None:
    text = f"{LOOP}      set: {{uid: 1, mail: x, email: y}}\n".replace("SELECT id", "SELECT uid")

    found = faults(text, key="uid", email="mail")

    assert ["the users' key" in found[0], "the users' address" in found[1]] == [True, True]
    assert len(found) == 2


def test_a_plan_is_equal_wherever_its_parts_stood() -> None:
    one, other = plan(LOOP), plan("\n\n" + LOOP)

    assert one == other
    assert one.document != other.document
    assert isinstance(one.document, Document)


@pytest.mark.parametrize(
    ("recovery", "fine"),
    [
        # (2^11 - 1) * 30 s = 17 h 3 min, and twice as long for 12
        pytest.param("{retries: 11, backoff: exponential, delay: 30s}", True, id="exponential within a day"),
        pytest.param("{retries: 12, backoff: exponential, delay: 30s}", False, id="exponential beyond a day"),
        pytest.param("{retries: 20, backoff: linear, delay: 1h}", True, id="linear within a day"),
        pytest.param("{retries: 20, backoff: linear, delay: 2h}", False, id="linear beyond a day"),
        pytest.param("{retries: 1, backoff: none, delay: 1d}", True, id="one wait of a day"),
        pytest.param("{retries: 1, backoff: none, delay: 2d}", False, id="one wait beyond a day"),
    ],
)
def test_no_retry_waits_longer_than_a_day(recovery: str, fine: bool) -> None:
    text = f"{LOOP}recovery: {recovery}\n"

    if fine:
        assert plan(text).steps
    else:
        (fault,) = faults(text)
        assert "The wait before the last retry would be " in fault
        assert " days; one is the most." in fault


@pytest.mark.parametrize("written", ["-0.1", "100%", "1", "true", "many", ".nan", "[0.1]", "-5%"])
def test_what_is_no_share_is_refused(written: str) -> None:
    with pytest.raises(DocumentError, match="is not a share below the whole"):
        plan(f"holdout: {written}\n{LOOP}")


def test_a_column_takes_a_number_with_a_point() -> None:
    text = changed("template: hello", "template: hello\n      set: {a: 1.5, b: null, c: true}")

    assert only_email(plan(text)).set == (("a", 1.5), ("b", None), ("c", True))


WRITE = "Write {{user.x}} for a column of the users table, {{row.x}} for a column of the query."


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        pytest.param("{{ user.name || 'you' }}", "Write `or` instead: x or 'there'.", id="as in JavaScript"),
        pytest.param("{{ user.name", WRITE, id="an open expression"),
        pytest.param("{{ name }}", WRITE, id="a name alone"),
        pytest.param("{{ " + "(" * 5_000 + "user.a" + ")" * 5_000 + " }}", WRITE, id="five thousand brackets"),
    ],
)
def test_of_an_expression_that_cannot_be_read_it_is_told_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(LoopInvalid) as caught:
        columns_read(text, Place("loops/x.yaml", 7))

    assert caught.value.advice == advice


def test_a_name_has_forty_eight_letters_at_most() -> None:
    assert plan(f"name: {'a' * 48}\n{LOOP}").name == "a" * 48


@pytest.mark.parametrize(
    ("condition", "row"),
    [
        pytest.param("{type: level, is: dormant}", ["level", "since"], id="a level"),
        pytest.param("{type: feature, name: export, state: untried}", [], id="a feature that nobody tried"),
        pytest.param(
            "{type: feature, name: export, state: tried, for: 7d}",
            ["since", "first_at", "last_at", "uses", "days"],
            id="a feature",
        ),
        pytest.param("{type: milestone, name: first}", ["reached_on"], id="a milestone"),
        pytest.param("{type: usage, limit: {free: 1}, period: 1d}", ["uses", "allowed"], id="usage"),
    ],
)
def test_the_columns_of_each_condition_can_be_shown_and_no_others(condition: str, row: list[str]) -> None:
    text = TWO.replace("{type: query, query: SELECT id FROM users}", condition, 1)
    configured: dict[str, Any] = {"features": {"export": EXPORT}, "milestones": {"first": FIRST}, "plan": "plan"}

    def shows(column: str) -> str:
        shown = f"{{type: email, template: hello, personalization: {{x: '{{{{row.{column}}}}}'}}}}"
        return text.replace("{type: email, template: hello}", shown, 1)

    for column in row:
        assert plan(shows(column), **configured).steps[0].email is not None
    (fault,) = faults(shows("other"), **configured)
    assert "The condition has no column 'other'." in fault
    assert fault.endswith(f"Use one of: {', '.join(row)}." if row else "'other'.")


@pytest.mark.parametrize(
    ("said", "users", "is_refused"),
    [
        pytest.param("state: untried, for: 7d", {}, True, id="untried for a while, since nobody knows when"),
        pytest.param("state: untried, for: 7d", {"created_at": "made"}, False, id="since sign-up"),
        pytest.param("state: untried", {}, False, id="untried at all"),
        pytest.param("state: tried, for: 7d", {}, False, id="tried for a while"),
    ],
)
def test_who_never_tried_something_is_counted_from_sign_up(
    said: str, users: dict[str, Any], *, is_refused: bool
) -> None:
    text = TWO.replace("{type: query, query: SELECT id FROM users}", f"{{type: feature, name: export, {said}}}", 1)

    if is_refused:
        (fault,) = faults(text, features={"export": EXPORT}, **users)
        assert fault.startswith("loops/x.yaml:5  step 1, condition.for\n")
    else:
        plan(text, features={"export": EXPORT}, **users)
