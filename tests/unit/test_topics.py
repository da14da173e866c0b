"""Topics in skene.yaml and in loops: what is known, what contradicts itself, and what a loop without one means."""

from pathlib import Path

import pytest

from skene_dagster.compiler import descriptions
from skene_dagster.errors import DocumentError, SettingsError
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.project import load_project
from skene_dagster.settings import Settings, load

LOOP = """\
type: retention
steps:
  - trigger: {type: schedule, cron: 0 9 * * *}
    condition: {type: query, query: SELECT id FROM users}
    action: {type: email, template: hello}
"""
SENDER = "sender: {from: Acme <hello@example.com>, postal_address: 1 Example Street, LINK}\n"
PUBLIC = SENDER.replace("LINK", "public_url: https://mail.example.com")
OWN = SENDER.replace("LINK", "unsubscribe_url: 'https://example.com/u/{{user.id}}'")
TOPICS = "topics:\n  news: {title: News}\n  tips: {title: Tips, default: off}\n"


def write(root: Path, settings: str, loop: str = LOOP) -> None:
    body = "{{ unsubscribe_url }} {{ postal_address }}"
    mjml = "<mjml><mj-head><mj-title>Hi</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>"
    mjml += f"{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
    files = {
        "skene.yaml": settings,
        "loops/loop.yaml": loop,
        "templates/hello.mjml": mjml,
        "templates/hello.txt": body,
        "templates/asked_for.mjml": mjml.replace(body, "Hi"),
        "templates/asked_for.txt": "Hi",
    }
    for file, text in files.items():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")


def read(root: Path, settings: str) -> Settings:
    write(root, settings)
    return load(root, {})


def planned(root: Path, settings: str, loop: str = LOOP, environment: str = "development") -> LoopPlan:
    write(root, settings, loop)
    project = load_project(load(root, {"SKENE_ENV": environment}))
    for broken in project.broken:
        raise broken.error
    return project.loops[0]


def fault(root: Path, settings: str, loop: str = LOOP, environment: str = "development") -> str:
    with pytest.raises(DocumentError) as raised:
        planned(root, settings, loop, environment)
    return " ".join(str(raised.value).split())


def topic(plan: LoopPlan) -> str | None:
    email = plan.steps[0].email
    assert email is not None
    return email.topic


def test_a_loop_without_a_topic_is_about_product_news(tmp_path: Path) -> None:
    assert topic(planned(tmp_path, PUBLIC)) == "product"


def test_a_loop_names_its_topic(tmp_path: Path) -> None:
    assert topic(planned(tmp_path, PUBLIC + TOPICS, f"topic: tips\n{LOOP}")) == "tips"


def test_the_same_topic_in_three_languages_is_one_plan(tmp_path: Path) -> None:
    step = "{'trigger': {'type': 'manual'}, 'condition': {'type': 'query', 'query': 'SELECT id FROM users'}, "
    step += "'action': {'type': 'email', 'template': 'hello'}}"
    loops = {
        "loop.yaml": f"{{type: retention, topic: tips, steps: [{step}]}}\n",
        "loop.ts": f"export default defineLoop({{type: 'retention', topic: 'tips', steps: [{step}]}})\n",
        "loop.py": "from skene_dagster import define_loop\n\n"
        f"loop = define_loop(type='retention', topic='tips', steps=[{step}])\n",
    }
    plans: list[LoopPlan] = []
    for name, text in loops.items():
        write(tmp_path, PUBLIC + TOPICS)
        (tmp_path / "loops" / "loop.yaml").unlink()
        (tmp_path / "loops" / name).write_text(text, encoding="utf-8")
        project = load_project(load(tmp_path, {}))
        (tmp_path / "loops" / name).unlink()
        assert [str(broken.error) for broken in project.broken] == []
        plans += project.loops

    assert plans[0] == plans[1] == plans[2]
    assert topic(plans[0]) == "tips"


def test_mail_that_was_asked_for_has_no_topic(tmp_path: Path) -> None:
    asked_for = LOOP.replace("template: hello", "template: asked_for, transactional: true")

    assert topic(planned(tmp_path, "sender: {from: hello@example.com}", asked_for)) is None
    assert fault(tmp_path, PUBLIC + TOPICS, f"topic: tips\n{asked_for}") == (
        "loops/loop.yaml:1 topic A topic is for marketing emails, and this loop sends none. Leave `topic` out."
    )


def test_where_no_topic_is_called_product_a_loop_has_to_choose(tmp_path: Path) -> None:
    assert fault(tmp_path, PUBLIC + TOPICS) == (
        "loops/loop.yaml:1 topic The loop has no topic, and skene.yaml has none called 'product'. "
        "Add `topic: …`. Use one of: news, tips."
    )


def test_an_unknown_topic_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    assert fault(tmp_path, PUBLIC + TOPICS, f"topic: tip\n{LOOP}") == (
        "loops/loop.yaml:1 topic 'tip' is not a topic. Use one of: news, tips. Did you mean 'tips'?"
    )


@pytest.mark.parametrize("link", [PUBLIC, OWN], ids=["our pages", "the product's own page"])
def test_either_way_to_unsubscribe_will_do(link: str, tmp_path: Path) -> None:
    assert planned(tmp_path, link, environment="production").steps


def test_production_serves_the_pages_over_https(tmp_path: Path) -> None:
    settings = PUBLIC.replace("https", "http")

    assert planned(tmp_path, settings).steps
    assert "In production, sender.public_url must be https, not 'http://mail.example.com'." in fault(
        tmp_path, settings, environment="production"
    )


def test_the_locale_is_read_for_the_language_of_emails_and_of_our_pages(tmp_path: Path) -> None:
    for settings, columns in ((PUBLIC, ("lang",)), (OWN, ("id", "lang"))):
        email = planned(tmp_path, f"users: {{locale: lang}}\n{settings}").steps[0].email
        assert email is not None
        assert email.user_columns == columns


SENDERS = "senders:\n  team: {from: Team <team@example.com>, reply_to: talk@example.com}\n"


def test_a_topic_has_a_sender_of_its_own_and_the_rest_is_the_senders(tmp_path: Path) -> None:
    settings = read(
        tmp_path, f"{PUBLIC}topics:\n  tips: {{title: Tips, sender: team}}\n  news: {{title: News}}\n{SENDERS}"
    )

    tips, news = settings.sender_of("tips"), settings.sender_of("news")
    assert (tips.from_, tips.reply_to) == ("Team <team@example.com>", "talk@example.com")
    assert (tips.postal_address, tips.public_url) == ("1 Example Street", "https://mail.example.com")
    assert news == settings.sender_of(None) == settings.sender


def test_a_sender_of_its_own_is_enough_for_the_loops_of_its_topic(tmp_path: Path) -> None:
    own = "{from: team@example.com, postal_address: 2 Example Street}"
    settings = "sender: {public_url: https://mail.example.com}\ntopics: {tips: {title: Tips, sender: team}}\n"

    assert planned(tmp_path, f"{settings}senders: {{team: {own}}}\n", f"topic: tips\n{LOOP}").steps


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            f"topics:\n  tips:\n    title: Tips\n    sender: teem\n{SENDERS}",
            "skene.yaml:4 topics.tips.sender There is no sender 'teem'. Use one of: team. Did you mean 'team'?",
            id="an unknown sender",
        ),
        pytest.param(
            "topics:\n  tips:\n    title: Tips\n    sender: team\n",
            "skene.yaml:4 topics.tips.sender There is no sender 'team'. Describe it below `senders:`.",
            id="a sender where none is described",
        ),
        pytest.param(
            "topics:\n  tips: {text: Tricks}\n",
            "skene.yaml:2 topics.tips.title 'title' is missing. Add it.",
            id="untitled",
        ),
        pytest.param(
            "topics:\n  tips: {title: '  '}\n",
            "skene.yaml:2 topics.tips.title The title is empty. Write what recipients call it: Product news.",
            id="a blank title",
        ),
        pytest.param(
            "topics:\n  tips: {title: Tips, asked: agreed_at}\n",
            "skene.yaml:2 topics.tips.asked 'asked' says who agreed, but everybody gets this topic: its 'default' "
            "is on. Write `default: off`, or remove `asked`.",
            id="asked for what all get",
        ),
        pytest.param(
            "topics:\n  tips:\n    title: Tips\n    default: off\n",
            "skene.yaml:4 topics.tips.default Nobody can say yes to 'tips': it has no 'asked', and there are no pages "
            "of ours to say it on. Set sender.public_url, or write `asked`.",
            id="nowhere to say yes",
        ),
        pytest.param(
            "sender:\n  public_url: https://mail.example.com\n  unsubscribe_url: https://example.com/{{user.id}}\n",
            "skene.yaml:3 sender.unsubscribe_url 'sender.public_url' is for our own unsubscribe pages, "
            "'sender.unsubscribe_url' for one of the product's. Remove one of the two.",
            id="two ways to unsubscribe",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_line(tmp_path: Path, said: str, expected: str) -> None:
    (tmp_path / "skene.yaml").write_text(said, encoding="utf-8")

    with pytest.raises(SettingsError) as raised:
        load(tmp_path, {})

    assert " ".join(str(raised.value).split()) == expected


@pytest.mark.parametrize(
    "title", ["News\\r\\nBcc: eve@example.com", "News\\u2028", "\\u202ENews", "a\\u0000b", "=?utf-8?q?a=0ABcc:_x?="]
)
def test_a_title_can_write_no_second_header(tmp_path: Path, title: str) -> None:
    (tmp_path / "skene.yaml").write_text(f'topics:\n  tips: {{title: "{title}"}}\n', encoding="utf-8")

    with pytest.raises(SettingsError, match=r"topics\.tips\.title"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("newsletter = 1", "newsletter = 1 is no moment."),
        ("CASE WHEN newsletter = 1 THEN 1 END", "1 is no moment."),
        ("NOT newsletter", "NOT newsletter is no moment."),
        ("agreed_at IS NOT NULL", "agreed_at IS NOT NULL is no moment."),
        ("EXISTS (SELECT 1 FROM consents)", "is no moment."),
        ("agreed_at) OR (1", "A parenthesis is closed that was never opened."),
        ("agreed_at; DELETE FROM users", "semicolon"),
        ("SLEEP(1)", "SLEEP() cannot be used."),
        ("MAX(agreed_at)", "MAX() is about several rows."),
        ("$1", "$1 cannot be used."),
    ],
)
def test_asked_is_a_moment_by_the_rules_of_all_sql(tmp_path: Path, asked: str, said: str) -> None:
    settings = f"topics:\n  tips:\n    title: Tips\n    default: off\n    asked: |\n      {asked}\n"

    found = fault(tmp_path, settings)

    assert found.startswith("skene.yaml:6 topics.tips.asked")
    assert said in found


def test_the_ui_says_what_the_emails_are_about(tmp_path: Path) -> None:
    plan = planned(tmp_path, PUBLIC + TOPICS, f"topic: tips\n{LOOP}")

    assert "the email `hello`, about `tips`, to the members" in descriptions.sends(plan, plan.steps[0])


NAMED = "senders: {team: {from: team@example.com}, founder: {from: Ada <ada@example.com>}}\n"
OF_TEAM = "topics: {product: {title: News}, tips: {title: Tips, sender: team}}\n"


def by(sender: str) -> str:
    return LOOP.replace("template: hello", f"template: hello, sender: {sender}")


def test_a_step_names_its_sender(tmp_path: Path) -> None:
    email = planned(tmp_path, PUBLIC + NAMED, by("founder")).steps[0].email

    assert email is not None
    assert email.sender == "founder"


@pytest.mark.parametrize(
    ("settings", "sender", "said"),
    [
        pytest.param(NAMED, "tim", "There is no sender 'tim'. Use one of: founder, team.", id="an unknown one"),
        pytest.param(
            "",
            "tim",
            "There is no sender 'tim'. Describe it in skene.yaml, below `senders:`.",
            id="where there is none",
        ),
        pytest.param(
            NAMED + OF_TEAM,
            "team",
            "'team' has the address of the topic 'tips', and this email is about 'product': who says no to it in a "
            "mail program would go on getting mail from there. Name a sender with an address of its own.",
            id="of whom one click stops another topic alone",
        ),
    ],
)
def test_a_sender_that_a_step_cannot_have_is_refused(tmp_path: Path, settings: str, sender: str, said: str) -> None:
    assert fault(tmp_path, PUBLIC + settings, by(sender)).endswith(f".sender {said}")


def test_mail_that_was_asked_for_may_come_from_anybody(tmp_path: Path) -> None:
    loop = by("team").replace("template: hello", "template: asked_for, transactional: true")

    assert planned(tmp_path, PUBLIC + NAMED + OF_TEAM, loop).steps
