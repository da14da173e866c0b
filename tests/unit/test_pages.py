"""The unsubscribe pages: what they say and to whom, in which template, and what they lack for people who cannot see."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest
from page_reader import Reader, contrast, lacks
from starlette.requests import Request

from skene_dagster import settings as settings_module
from skene_dagster.consent.tokens import Token
from skene_dagster.errors import TemplateError
from skene_dagster.web.pages.forms import Act
from skene_dagster.web.pages.library import words_of
from skene_dagster.web.pages.standing import Standing
from skene_dagster.web.pages.views import Views, brand_of

SETTINGS = """\
sender: {from: "Orbit <hello@example.com>", public_url: "https://mail.example.com"}
topics:
  beta: {title: Beta, text: Be asked first., default: off}
  news: {title: News}
  tips: {title: "<script>alert('tips')</script>", text: "\\" onload=\\"x"}
"""

ACTS: list[Act | None] = [None, "no_marketing", "no_topic", "yes_marketing", "yes_topic", "save"]
ALL = frozenset({"beta", "news", "tips"})
STANDINGS = [
    pytest.param(Standing(is_known=True, marketing=True, on=ALL), id="gets all"),
    pytest.param(Standing(is_known=True, marketing=True, on=frozenset()), id="gets nothing"),
    pytest.param(Standing(is_known=True, marketing=False, on=ALL), id="wants no marketing"),
    pytest.param(Standing(is_known=False, marketing=True, on=ALL), id="unknown"),
]


def token(topic: str = "tips", locale: str = "") -> Token:
    return Token("1:a", "u:a", topic, "marketing", locale, "", "")


def request(language: str = "") -> Request:
    headers = [(b"accept-language", language.encode())] if language else []
    return Request({"type": "http", "method": "GET", "path": "/u/x", "headers": headers})


def views(root: Path, more: str = "", **pages: str) -> Views:
    (root / "skene.yaml").write_text(SETTINGS + more, encoding="utf-8")
    folder = root / "templates" / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return Views.of(settings_module.load(root, {}))


def shown(made: Views, standing: Standing, done: Act | None = None, topic: str = "tips") -> str:
    return bytes(made.preferences(request(), token(topic), standing, done).body).decode()


@pytest.mark.parametrize("topic", ["tips", "gone"])
@pytest.mark.parametrize("done", ACTS)
@pytest.mark.parametrize("standing", STANDINGS)
def test_a_page_lacks_nothing_for_a_keyboard_or_a_screen_reader(
    tmp_path: Path, standing: Standing, done: Act | None, topic: str
) -> None:
    assert lacks(shown(views(tmp_path), standing, done, topic)) == []


def test_the_other_pages_lack_nothing_either(tmp_path: Path) -> None:
    made = views(tmp_path)

    assert lacks(bytes(made.unknown(request()).body).decode()) == []
    assert lacks(bytes(made.later(request(), token()).body).decode()) == []


def test_what_lacks_something_is_noticed() -> None:
    page = (
        '<html><head><title></title><meta name="viewport" content="user-scalable=no"></head>'
        '<body><h2 tabindex="4"></h2><h4 id="a">x</h4><p id="a" aria-describedby="b" style="">y</p>'
        '<form action="/x"><fieldset><input type="checkbox"></fieldset><button></button></form></body></html>'
    )

    assert {*lacks(page)} == {
        *("html-has-lang", "document-title", "landmark-one-main", "region", "page-has-heading-one", "heading-order"),
        *("empty-heading", "duplicate-id", "aria-valid-attr-value", "tabindex", "csp", "label", "button-name"),
        *("fieldset", "meta-viewport", "form"),
    }


def test_the_colours_can_be_told_apart_by_day_and_by_night() -> None:
    css = (files("skene_dagster.web.pages") / "templates" / "style.css").read_text(encoding="utf-8")
    day, night = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in css.split("@media", 2)[:2])

    assert day.keys() == night.keys()
    for name, colours in (("day", day), ("night", night)):
        for text, ground in (
            *(("ink", "page"), ("ink", "card"), ("ink", "good"), ("text", "card"), ("note", "card")),
            *(("on-accent", "accent"), ("accent", "card")),
        ):
            assert contrast(colours[text], colours[ground]) >= 4.5, f"{text} on {ground} by {name}"
        # What is drawn, not written: 3 (WCAG 2.2, 1.4.11).
        assert contrast(colours["good-edge"], colours["good"]) >= 3, name


def test_the_wider_choice_comes_first(tmp_path: Path) -> None:
    page = Reader(shown(views(tmp_path), Standing(True, True, ALL), topic="news"))

    assert [(one.attributes["value"], one.text) for one in page.all("button")] == [
        ("no_marketing", "No more marketing email at all"),
        ("no_topic", "No more “News”"),
        ("save", "Save"),
    ]


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(True, True, frozenset({"news", "beta"})), "Now you get: Beta, News."),
        (Standing(True, False, ALL), "Now you get no marketing email."),
        (Standing(True, True, frozenset()), "Now you get no marketing email."),
        (Standing(False, True, ALL), None),
    ],
)
def test_what_holds_now_is_said_where_it_is_known(tmp_path: Path, standing: Standing, said: str | None) -> None:
    page = Reader(shown(views(tmp_path), standing))

    assert [one.text for one in page.all("p") if one.attributes.get("class") == "state"] == ([said] if said else [])


@pytest.mark.parametrize(("done", "back"), [("no_marketing", "yes_marketing"), ("no_topic", "yes_topic")])
def test_after_a_no_there_is_a_way_back(tmp_path: Path, done: Act, back: str) -> None:
    page = Reader(shown(views(tmp_path), Standing(True, False, ALL), done))

    assert [one.attributes["value"] for one in page.all("button")] == [back, "save"]


def test_what_a_project_writes_is_text_to_a_page(tmp_path: Path) -> None:
    html = shown(views(tmp_path), Standing(True, True, ALL))
    page = Reader(html)

    assert page.all("script") == []
    assert "&lt;script&gt;alert(&#39;tips&#39;)&lt;/script&gt;" in html
    assert "onload" not in {name for one in page.root.every() for name in one.attributes}


def test_a_page_shows_no_recipient(tmp_path: Path) -> None:
    html = shown(views(tmp_path), Standing(True, True, ALL))

    assert "1:a" not in html
    assert "u:a" not in html
    assert "@" not in re.sub(r"@media", "", html)


def test_a_page_may_run_nothing_load_nothing_and_be_framed_by_nobody(tmp_path: Path) -> None:
    made = views(tmp_path)
    answers = [made.preferences(request(), token(), Standing(True, True, ALL)), made.unknown(request())]
    policies = []

    for answer in answers:
        html = bytes(answer.body).decode()
        (style,) = Reader(html).all("style")
        policy = answer.headers["content-security-policy"]
        assert f"style-src 'nonce-{style.attributes['nonce']}'" in policy
        policies.append(policy)
        assert policy.startswith("default-src 'none'; ")
        assert "script" not in policy
        assert "form-action 'self'; base-uri 'none'; frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers

    assert policies[0] != policies[1]


def test_the_digest_is_of_what_the_page_says_whatever_holds_of_whom(tmp_path: Path) -> None:
    made = views(tmp_path)
    digests = {
        one.attributes["value"]
        for standing in (Standing(True, True, ALL), Standing(True, False, frozenset()))
        for one in Reader(shown(made, standing)).all("input")
        if one.attributes["name"] == "text"
    }
    plain = shown(made, Standing(False, True, frozenset()))

    assert digests == {made.digest(request(), token())} == {hashlib.sha256(words_of(plain).encode()).hexdigest()}
    assert "Choose what you get" in words_of(plain)
    assert "color-scheme" not in words_of(plain)
    assert made.digest(request(), token("news")) not in digests


OWN = '<html lang="{{ lang }}" dir="{{ dir }}"><style nonce="{{ nonce }}">{{ style }}</style>%s {{ brand }}</html>'


@pytest.mark.parametrize(
    ("locale", "language", "words", "tag", "direction"),
    [
        pytest.param("de", "fr", "deutsch", "de", "ltr", id="the email's"),
        pytest.param("de-AT", "fr", "deutsch", "de", "ltr", id="what the email's is a part of"),
        pytest.param("pt_BR", "", "brasileiro", "pt-BR", "ltr", id="the email's, spelled otherwise"),
        pytest.param("", "nl, ar-EG;q=0.5", "arabi", "ar", "rtl", id="the browser's"),
        pytest.param("nl", "de", "deutsch", "de", "ltr", id="the browser's, where there is no page in the email's"),
        pytest.param("nl", "", "Which email", "en", "ltr", id="ours"),
        pytest.param("en-GB", "de", "Which email", "en", "ltr", id="ours, which is the email's"),
        pytest.param("../../secret", "de", "deutsch", "de", "ltr", id="what is no language"),
    ],
)
def test_the_language_is_the_emails_then_the_browsers(
    tmp_path: Path, locale: str, language: str, words: str, tag: str, direction: str
) -> None:
    made = views(
        tmp_path,
        preferences__de__html=OWN % "deutsch",
        preferences__ar__html=OWN % "arabi",
        preferences__pt_BR__html=OWN % "brasileiro",
    )

    answer = made.preferences(request(language), token(locale=locale), Standing(True, True, ALL))

    html = bytes(answer.body).decode()
    assert words in html
    assert f'lang="{tag}" dir="{direction}"' in html
    assert answer.headers["content-language"] == tag


def test_a_projects_own_page_and_style_take_the_place_of_ours(tmp_path: Path) -> None:
    made = views(tmp_path, unknown__html=OWN % "gone", style__css="body { color: red }", readme__txt="{{")

    html = bytes(made.unknown(request()).body).decode()

    assert "gone Orbit" in html
    assert ">body { color: red }</style>" in html
    assert "body { color: red }" in shown(made, Standing(True, True, ALL))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("unknown__html", "\n{% if %}", r"templates/pages/unknown\.html:2"),
        ("unknown__html", "{{ address }}", r"It uses address, which is not there"),
        ("unknown__html", "{{ topics }}", r"It uses topics"),
        ("preferences__html", "{% for one in known %}{% endfor %}", r"cannot be rendered"),
        ("preferences__html", "{% include 'x' %}", r"templates/pages/preferences\.html"),
        ("preferences__html", "{{ ''.__class__ }}", r"templates/pages/preferences\.html"),
        ("preferences__html", "{% for a in range(99999999) %}{% endfor %}", r"templates/pages/preferences\.html"),
        ("goodbye__html", "x", r"There is no page 'goodbye'\. The pages are: preferences, unknown, later"),
        ("later__x_y_z__html", "x", r"The file's name has no language in it"),
        ("style__css", "x </style><script>", "A style sheet has no '</'"),
    ],
)
def test_a_page_that_is_wrong_is_told_before_anybody_sees_it(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        views(tmp_path, **{name: text})


@pytest.mark.parametrize(
    ("sender", "brand"),
    [
        ("", ""),
        ("hello@example.com", "example.com"),
        ("Orbit <hello@example.com>", "Orbit"),
        ('"Acme, Inc." <hello@example.com>', "Acme, Inc."),
        ('"The \\"Best\\"" <hello@example.com>', 'The "Best"'),
    ],
)
def test_the_sender_is_named_as_recipients_know_them(sender: str, brand: str) -> None:
    assert brand_of(settings_module.Sender.model_validate({"from": sender}).from_) == brand


def test_whoever_writes_about_a_topic_is_named_on_its_page(tmp_path: Path) -> None:
    more = 'senders: {labs: {from: "Orbit Labs <labs@example.com>"}}\n'
    settings = SETTINGS.replace("{title: News}", "{title: News, sender: labs}")
    (tmp_path / "skene.yaml").write_text(settings + more, encoding="utf-8")
    made = Views.of(settings_module.load(tmp_path, {}))

    brands = [
        one.text
        for topic in ("news", "beta", "gone")
        for one in Reader(shown(made, Standing(True, True, ALL), topic=topic)).all("p")
        if one.attributes.get("class") == "brand"
    ]

    assert brands == ["Orbit Labs", "Orbit", "Orbit"]
