"""What a recipient gets, and what each button of the page answers."""

import pytest

from skene_dagster.consent.tokens import Token
from skene_dagster.settings import Topic
from skene_dagster.web.pages.forms import Act, Chosen, OneClick
from skene_dagster.web.pages.standing import Answers, Standing, answers_of, unknown

TOPICS = {
    "beta": Topic(title="Beta", default="off"),
    "news": Topic(title="News"),
    "tips": Topic(title="Tips"),
}


def token(topic: str = "tips", one_click: str = "marketing") -> Token:
    return Token("1:a", "u:a", topic, one_click, "", "", "")


def pressed(act: Act, on: tuple[str, ...] = (), shown: tuple[str, ...] = ("beta", "news", "tips")) -> Answers:
    return answers_of(Chosen(act, frozenset(on), frozenset(shown), None), token(), TOPICS)


@pytest.mark.parametrize("scope", ["marketing", "topic:tips", "topic:gone"])
def test_one_click_stops_what_the_email_said_it_stops(scope: str) -> None:
    assert answers_of(OneClick(), token(one_click=scope), TOPICS) == (("no", scope),)


@pytest.mark.parametrize(
    ("act", "answers"),
    [
        ("no_marketing", (("no", "marketing"),)),
        ("no_topic", (("no", "topic:tips"),)),
        ("yes_marketing", (("yes", "marketing"),)),
        ("yes_topic", (("yes", "topic:tips"),)),
    ],
)
def test_a_button_answers_what_it_says(act: Act, answers: Answers) -> None:
    assert pressed(act, on=("news",)) == answers


def test_a_topic_that_the_project_has_no_more_can_be_refused() -> None:
    form = Chosen("no_topic", frozenset(), frozenset(), None)

    assert answers_of(form, token(topic="gone"), TOPICS) == (("no", "topic:gone"),)


def test_who_turns_a_topic_on_wants_marketing_email_but_not_what_stays_off() -> None:
    assert pressed("save", on=("tips",)) == (
        ("yes", "marketing"),
        ("yes", "topic:tips"),
        ("no", "topic:beta"),
        ("no", "topic:news"),
    )


def test_what_is_left_open_is_not_answered_whatever_else_is_saved() -> None:
    def saved(*on: str) -> Answers:
        form = Chosen("save", frozenset(on), frozenset({"news", "tips"}), None, left=frozenset({"beta", "gone"}))
        return answers_of(form, token(), TOPICS)

    assert saved("tips") == (("yes", "marketing"), ("yes", "topic:tips"), ("no", "topic:news"))
    # Not all of marketing: the topic that is left open may still be wanted.
    assert saved() == (("no", "topic:news"), ("no", "topic:tips"))


def test_of_a_topic_that_the_product_asks_for_nothing_is_known_until_they_answer() -> None:
    topics = TOPICS | {"beta": Topic(title="Beta", default="off", asked="agreed_at")}
    before = unknown(token("news"), topics)

    assert before.on == {"news", "tips"}
    assert before.open == {"beta"}
    assert unknown(token("beta"), topics).open == set()
    assert before.after((("no", "topic:beta"),)).open == set()
    assert before.after((("no", "topic:news"),)).open == {"beta"}


def test_who_turns_all_off_wants_no_marketing_email_either_of_topics_to_come() -> None:
    assert pressed("save") == (
        ("no", "marketing"),
        ("no", "topic:beta"),
        ("no", "topic:news"),
        ("no", "topic:tips"),
    )


def test_a_topic_that_the_page_did_not_show_yet_is_not_turned_on_by_a_forged_tick() -> None:
    assert pressed("save", on=("news", "beta", "admin"), shown=("news",)) == (
        ("yes", "marketing"),
        ("yes", "topic:news"),
        ("no", "topic:tips"),
    )


def test_of_who_said_nothing_the_defaults_are_assumed_and_what_they_were_mailed_about() -> None:
    assert unknown(token("beta"), TOPICS) == Standing(is_known=False, marketing=True, on=frozenset(TOPICS))
    assert unknown(token("news"), TOPICS).on == {"news", "tips"}


@pytest.mark.parametrize(
    ("act", "on", "after"),
    [
        pytest.param("no_marketing", (), Standing(True, False, frozenset({"news", "tips"})), id="nothing"),
        pytest.param("no_topic", (), Standing(False, True, frozenset({"news"})), id="all but one"),
        pytest.param("save", ("beta",), Standing(True, True, frozenset({"beta"})), id="one"),
        pytest.param("save", (), Standing(True, False, frozenset()), id="none of all"),
    ],
)
def test_what_holds_is_said_of_what_they_answered_where_the_database_cannot_say_it(
    act: Act, on: tuple[str, ...], after: Standing
) -> None:
    assert unknown(token(), TOPICS).after(pressed(act, on)) == after
