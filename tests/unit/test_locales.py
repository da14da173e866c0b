"""In which language a page is shown: the email's, else the browser's, where there is a page in it."""

import pytest

from skene_dagster.locales import asked_for, direction, tag_of, widening


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("de", ["de"]),
        ("de-AT, de;q=0.9, en;q=0.8", ["de-at", "de", "en"]),
        ("en;q=0.1,  pt-BR ; q=0.9 ,fr", ["fr", "pt-br", "en"]),
        ("de;q=0, *", []),
        ("de;q=7, fr;q=, ../../etc/passwd, <script>, en", ["en"]),
        (",".join(["de"] * 1000), ["de"] * 20),
        ("a" * 10_000, []),
    ],
)
def test_a_header_is_read_and_what_is_none_is_ignored(header: str, tags: list[str]) -> None:
    assert asked_for(header) == tags


@pytest.mark.parametrize(
    ("text", "tag"),
    [("de", "de"), ("pt_BR", "pt-br"), ("zh-Hant-TW", "zh-hant-tw"), ("", ""), ("..", ""), ("de/../x", ""), ("d", "")],
)
def test_a_tag_is_a_tag(text: str, tag: str) -> None:
    assert tag_of(text) == tag


def test_a_language_is_looked_for_before_the_next_wish() -> None:
    assert list(widening(["zh-hant-tw", "en"])) == ["zh-hant-tw", "zh-hant", "zh", "en"]


@pytest.mark.parametrize(
    ("tag", "written"),
    [("en", "ltr"), ("ar-EG", "rtl"), ("he", "rtl"), ("az-Arab", "rtl"), ("pa-Latn", "ltr"), ("ur-Latn", "ltr")],
)
def test_a_language_is_written_from_one_side(tag: str, written: str) -> None:
    assert direction(tag) == written
