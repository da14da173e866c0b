"""From a link in an email to a "no" in the database, and back: over HTTP, with a process of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from event_rows import make_users
from page_world import ONE_CLICK, SETTINGS, Browser, links, said, stopped
from sqlalchemy import Engine, func, select
from web_world import serving

from skene_dagster.store.tables import preferences, suppressions

PARTS = b'--ab\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--ab--\r\n'


@pytest.fixture
def browser(engine: Engine, tmp_path: Path) -> Iterator[Browser]:
    make_users(engine)
    (tmp_path / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    with serving(engine.url.render_as_string(hide_password=False), tmp_path) as served:
        yield Browser(served.port)


def test_looking_changes_nothing(engine: Engine, browser: Browser) -> None:
    (link,) = links(engine, 1)

    pages = [browser.get(link), browser.ask("HEAD", f"/u/{link}"), browser.get(link, Purpose="prefetch")]

    assert [one.status for one in pages] == [200, 200, 200]
    assert "Now you get: News, Tips." in pages[0].state
    assert pages[1].text == ""
    assert pages[1].headers["content-length"] == str(len(pages[0].text.encode()))
    assert said(engine) == []
    assert stopped(engine, 1) == set()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(ONE_CLICK, "application/x-www-form-urlencoded", id="a form"),
        pytest.param(PARTS, "multipart/form-data; boundary=ab", id="a form in parts"),
    ],
)
def test_one_click_stops_what_the_email_said_for_the_address_and_the_user(
    engine: Engine, browser: Browser, body: bytes, content_type: str
) -> None:
    (link,) = links(engine, 1, scope="topic:tips")

    answer = browser.post(link, body, content_type)

    assert (answer.status, answer.text) == (200, "")
    assert {"location", "set-cookie"} & answer.headers.keys() == set()
    assert stopped(engine, 1) == {"topic:tips"}
    kept = said(engine)
    assert [(one["answer"], one["source"], one["text_digest"]) for one in kept] == [
        ("no", "one click in a mail program", None)
    ] * 2
    assert stopped(engine, 2) == set()


def test_one_click_may_be_repeated(engine: Engine, browser: Browser) -> None:
    (link,) = links(engine, 1)

    assert [browser.post(link).status for _ in range(3)] == [200, 200, 200]

    assert stopped(engine, 1) == {"marketing"}
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(suppressions)).scalar_one() == 2


def test_many_may_say_the_same_at_once(engine: Engine, browser: Browser) -> None:
    ours = links(engine, 1, 2, 3, scope="topic:tips")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: browser.post(ours[n % 3]).status, range(150)))

    assert answers == [200] * 150
    assert [stopped(engine, user) for user in (1, 2, 3)] == [{"topic:tips"}] * 3
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(suppressions)).scalar_one() == 6


def test_each_button_says_what_holds_now_and_the_way_back_leads_back(engine: Engine, browser: Browser) -> None:
    (link,) = links(engine, 1)

    assert browser.press(link, "no_topic").state == "Now you get: News."
    assert stopped(engine, 1) == {"topic:tips"}
    assert browser.get(link).state == "Now you get: News."

    assert browser.press(link, "no_marketing").state == "Now you get no marketing email."
    assert stopped(engine, 1) == {"marketing", "topic:tips"}

    assert browser.press(link, "yes_marketing").state == "Now you get: News."
    assert browser.press(link, "yes_topic").state == "Now you get: News, Tips."
    assert stopped(engine, 1) == set()


def test_to_take_back_the_smaller_no_leaves_the_wider_one_and_nobody_is_welcomed_back(
    engine: Engine, browser: Browser
) -> None:
    (link,) = links(engine, 1)
    browser.press(link, "no_topic")
    browser.press(link, "no_marketing")

    page = browser.press(link, "yes_topic")

    assert page.state == "Now you get no marketing email."
    assert "<h1>Saved.</h1>" in page.text
    assert stopped(engine, 1) == {"marketing"}
    browser.press(link, "no_topic")
    assert "<h1>Welcome back.</h1>" in browser.press(link, "yes_marketing").text


def test_what_is_turned_on_again_lifts_the_wider_no_and_the_rest_gets_a_no_of_its_own(
    engine: Engine, browser: Browser
) -> None:
    (link,) = links(engine, 1)
    browser.post(link)

    page = browser.press(link, "save", on=("beta",))

    assert page.state == "Now you get: Beta programme."
    assert stopped(engine, 1) == {"topic:news", "topic:tips"}
    with engine.connect() as connection:
        query = select(preferences.c.scope).where(preferences.c.answer == "yes").distinct()
        assert set(connection.execute(query).scalars()) == {"marketing", "topic:beta"}


def test_a_no_to_all_topics_is_a_no_to_those_to_come(engine: Engine, browser: Browser) -> None:
    (link,) = links(engine, 1)

    assert browser.press(link, "save").state == "Now you get no marketing email."

    assert stopped(engine, 1) == {"marketing", "topic:beta", "topic:news", "topic:tips"}


def test_what_the_page_said_goes_with_each_answer(engine: Engine, browser: Browser) -> None:
    (link,) = links(engine, 1)
    digest = browser.get(link).text.split('name="text" value="')[1][:64]

    browser.press(link, "no_topic", text=digest)
    browser.press(link, "no_topic")
    browser.press(link, "no_topic", text="f" * 64)

    kept = [(one["source"], one["text_digest"]) for one in said(engine)]
    assert kept == [("unsubscribe page", digest)] * 4 + [("unsubscribe page", "f" * 64)] * 2


def test_a_topic_that_the_project_has_no_more_can_be_refused(engine: Engine, browser: Browser) -> None:
    (link,) = links(engine, 1, topic="gone", scope="topic:gone")

    page = browser.get(link)

    assert "No more “<bdi>this kind of email</bdi>”" in page.text
    assert browser.press(link, "no_topic").status == 200
    assert browser.post(link).status == 200
    assert stopped(engine, 1) == {"topic:gone"}


def test_events_are_still_received_beside_the_pages(browser: Browser) -> None:
    assert browser.ask("GET", "/readyz").status == 200
    assert browser.ask("POST", "/v1/track", b"{}").status == 401


def test_a_new_key_signs_links_that_a_running_process_believes(engine: Engine, browser: Browser) -> None:
    (old,) = links(engine, 1)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO skene_meta (name, value) VALUES ('signing_key_0002', '{'ab' * 32}')")
    (new,) = links(engine, 1)

    assert new.rpartition(".")[2] != old.rpartition(".")[2]
    assert [browser.get(one).status for one in (new, old)] == [200, 200]


def test_what_only_the_product_knows_is_asked_and_left_open_it_stays_as_it_is(engine: Engine, tmp_path: Path) -> None:
    make_users(engine)
    asked = SETTINGS.replace("default: off", "default: off, asked: created_at")
    (tmp_path / "skene.yaml").write_text(asked, encoding="utf-8")
    (link,) = links(engine, 1)
    with serving(engine.url.render_as_string(hide_password=False), tmp_path) as served:
        browser = Browser(served.port)
        before = browser.get(link)
        left = browser.post(link, b"act=save&shown=news&on=news&shown=tips&open=beta")
        kept = {(one["scope"], one["answer"]) for one in said(engine)}
        answered = browser.post(link, b"act=save&shown=news&on=news&shown=tips&open=beta&said.beta=yes")
        after = browser.get(link)

    assert before.state == "Now you get: News, Tips. You get Beta programme only if you agreed to it with Orbit."
    assert before.text.count('name="said.beta"') == 2
    assert "checked" not in before.text[before.text.index('name="said.beta"') :].partition("</div>")[0]
    assert "You get Beta programme only if you agreed to it" in left.state
    assert kept == {("marketing", "yes"), ("topic:news", "yes"), ("topic:tips", "no")}
    assert answered.state == after.state == "Now you get: Beta programme, News."
