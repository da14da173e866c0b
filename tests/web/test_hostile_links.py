"""Whoever has no link learns nothing, and whoever has one can do nothing but say yes or no."""

import re
import socket
from collections.abc import Iterator

import pytest
from event_rows import make_users
from page_world import ONE_CLICK, SETTINGS, Browser, links, said, stopped
from sqlalchemy import Engine
from web_world import PATIENCE, serving

from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.store.engine import open_engine

TOKEN = Token("1:a", "u:a", "tips", "marketing", "", "0" * 32, "1" * 32)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Engine]]:
    root = tmp_path_factory.mktemp("pages")
    url = f"sqlite:///{root / 'skene.db'}"
    engine = open_engine(url)
    make_users(engine)
    (root / "skene.yaml").write_text(SETTINGS, encoding="utf-8")
    with serving(url, root, body_seconds=0.5) as served:
        yield Browser(served.port), engine
    engine.dispose()


@pytest.fixture
def browser(running: tuple[Browser, Engine]) -> Browser:
    return running[0]


@pytest.fixture
def engine(running: tuple[Browser, Engine]) -> Engine:
    return running[1]


@pytest.fixture
def link(engine: Engine) -> str:
    return links(engine, 1)[0]


def plain(text: str) -> str:
    """A page without what is drawn anew for each answer."""
    return re.sub(r'nonce="[^"]*"', "", text)


def wrong(link: str) -> list[str]:
    """Links that do not work, for all kinds of reasons."""
    payload, _, signature = link.rpartition(".")
    return [
        "",
        "x",
        ".",
        link[:-1],
        link[1:],
        link.swapcase(),
        f"{link}A",
        f"{link}/",
        f"{payload}.{signature[::-1]}",
        f"{payload[:-4]}AAAA.{signature}",
        Signer(["ef" * 32]).sign(TOKEN),
        "../../../../etc/passwd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%00%ff%fe",
        "%0dSet-Cookie:%20a=b",
        "A" * 8_000,
    ]


def test_whatever_is_wrong_with_a_link_the_answer_is_the_same(browser: Browser, link: str) -> None:
    answers = [browser.get(one) for one in wrong(link)] + [browser.post(one) for one in wrong(link)]

    assert {one.status for one in answers} == {404}
    assert len({plain(one.text) for one in answers}) == 1
    assert len({tuple(sorted(one.headers)) for one in answers}) == 1
    assert "This link does not work." in answers[0].text


def test_a_line_break_in_a_link_is_no_header_of_the_answer(browser: Browser) -> None:
    answer = browser.get("x%0d%0aSet-Cookie:%20a=b")

    assert answer.status == 404
    assert "set-cookie" not in answer.headers


def test_a_request_of_another_kind_is_refused_and_told_what_is_allowed(browser: Browser, link: str) -> None:
    answers = [browser.ask(method, f"/u/{link}") for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")]

    assert {one.status for one in answers} == {405}
    assert {frozenset(one.headers["allow"].split(", ")) for one in answers} == {frozenset({"GET", "HEAD", "POST"})}
    assert all("access-control-allow-origin" not in one.headers for one in answers)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"", "application/x-www-form-urlencoded", id="nothing"),
        pytest.param(b"List-Unsubscribe=Two-Clicks", "application/x-www-form-urlencoded", id="another value"),
        pytest.param(b"act=erase", "application/x-www-form-urlencoded", id="an act that there is not"),
        pytest.param(b"act=save&act=no_topic", "application/x-www-form-urlencoded", id="two acts"),
        pytest.param(b'{"act": "save"}', "application/json", id="JSON"),
        pytest.param(b"--ab\r\n\r\n--ab--", "multipart/form-data; boundary=cd", id="parts with another boundary"),
        pytest.param(b"\xff\xfe\x00" * 100, "multipart/form-data; boundary=\xff", id="bytes"),
    ],
)
def test_what_says_nothing_changes_nothing(browser: Browser, engine: Engine, body: bytes, content_type: str) -> None:
    (link,) = links(engine, 2)

    answer = browser.post(link, body, content_type)

    assert answer.status == 400
    assert "Which email do you want?" in answer.text
    assert stopped(engine, 2) == set()


def test_a_body_that_is_too_large_is_refused_and_read_to_its_end(browser: Browser, engine: Engine) -> None:
    (link,) = links(engine, 3)

    answer = browser.post(link, b"List-Unsubscribe=One-Click&a=" + b"x" * 10_000_000)

    assert answer.status == 413
    assert stopped(engine, 3) == set()


def test_a_body_that_does_not_end_is_given_up(browser: Browser, link: str) -> None:
    with socket.create_connection(("127.0.0.1", browser.port), timeout=PATIENCE) as client:
        client.sendall(f"POST /u/{link} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nList-".encode())

        assert client.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_nothing_that_is_asked_appears_in_the_answer(browser: Browser, link: str) -> None:
    evil = "%3Cscript%3Ealert(1)%3C/script%3E"

    answers = [
        browser.ask("GET", f"/u/{link}?next=https://evil.example&{evil}"),
        browser.ask("GET", f"/u/{evil}"),
        browser.ask(
            "GET", f"/u/{link}", None, {"Accept-Language": "<script>alert(1)</script>", "Host": "evil.example"}
        ),
        browser.ask("POST", f"/u/{link}?next=https://evil.example", ONE_CLICK, {"Origin": "https://evil.example"}),
    ]

    for one in answers:
        assert "<script" not in one.text
        assert "evil" not in one.text + str(one.headers)
        assert "location" not in one.headers
    assert answers[3].status == 200


def test_a_topic_that_is_none_is_never_turned_on_or_off(browser: Browser, engine: Engine) -> None:
    (link,) = links(engine, 4)

    browser.press(link, "save", on=("news", "admin", "x" * 1000, "beta"))

    kept = {one["scope"] for one in said(engine) if stopped(engine, 4)}
    assert stopped(engine, 4) == {"topic:tips"}
    assert kept <= {"marketing", "topic:beta", "topic:news", "topic:tips"}
