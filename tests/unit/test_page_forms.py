"""What a request to an unsubscribe page says: RFC 8058's one click in either encoding, or the page's own form."""

from contextlib import suppress

import pytest

from skene_dagster.web.pages.forms import MOST_FIELDS, Chosen, OneClick, read_form
from skene_dagster.web.refusals import Refusal

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=ab"
DIGEST = "0f" * 32


def parts(*pairs: tuple[str, str]) -> bytes:
    each = (f'--ab\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs)
    return ("".join(each) + "--ab--\r\n").encode()


CLICKED = parts(("List-Unsubscribe", "One-Click"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"List-Unsubscribe=One-Click", FORM, id="as RFC 8058 writes it"),
        pytest.param(CLICKED, PARTS, id="in parts"),
        pytest.param(CLICKED, 'Multipart/Form-Data; charset=utf-8; boundary="ab"', id="in parts, spelled otherwise"),
        pytest.param(CLICKED.replace(b"\r\n", b"\n"), PARTS, id="in parts, with bare line feeds"),
        pytest.param(CLICKED.removesuffix(b"--ab--\r\n"), PARTS, id="in parts without an end"),
        pytest.param(b"preamble\r\n" + CLICKED + b"epilogue", PARTS, id="in parts with words around them"),
        pytest.param(b"list-unsubscribe=one-click", FORM, id="in small letters"),
        pytest.param(b"LIST-UNSUBSCRIBE=ONE-CLICK\r\n", FORM, id="in capitals, with a line break"),
        pytest.param(b"List-Unsubscribe=One-Click", f"{FORM}; charset=koi8-r", id="in another character set"),
        pytest.param(b"List-Unsubscribe=One-Click", "", id="without a type"),
        pytest.param(b"List-Unsubscribe=One-Click", "text/plain", id="as text"),
        pytest.param(b"List-Unsubscribe=One-Click&List-Unsubscribe=One-Click", FORM, id="twice"),
        pytest.param(b"List-Unsubscribe=x&List-Unsubscribe=One-Click", FORM, id="twice, once of it wrong"),
        pytest.param(b"act=save&List-Unsubscribe=One-Click", FORM, id="beside something else: a no is a no"),
        pytest.param(b"a=\xff\xfe&List-Unsubscribe=One-Click", FORM, id="beside bytes that are no text"),
    ],
)
def test_one_click_is_heard_however_it_is_written(body: bytes, content_type: str) -> None:
    assert read_form(body, content_type) == OneClick()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"", FORM, id="nothing"),
        pytest.param(b"", PARTS, id="no parts"),
        pytest.param(b"List-Unsubscribe", FORM, id="a name without a value"),
        pytest.param(b"List-Unsubscribe=Two-Clicks", FORM, id="another value"),
        pytest.param(b'{"List-Unsubscribe": "One-Click"}', "application/json", id="JSON"),
        pytest.param(b"act=delete", FORM, id="an act that there is not"),
        pytest.param(b"act=save&act=no_marketing", FORM, id="two acts"),
        pytest.param(b"List-Unsubscribe=One-Click", PARTS, id="a form that is said to be in parts"),
        pytest.param(CLICKED, "multipart/form-data", id="parts without a boundary"),
        pytest.param(CLICKED, "multipart/form-data; boundary=cd", id="parts with another boundary"),
        pytest.param(CLICKED, "multipart/mixed; boundary=ab", id="parts that are no form"),
        pytest.param(CLICKED.replace(b"form-data; name", b"form-data; n"), PARTS, id="a part without a name"),
        pytest.param(bytes(range(256)) * 40, FORM, id="bytes"),
        pytest.param(bytes(range(256)) * 40, PARTS, id="bytes instead of parts"),
    ],
)
def test_what_says_nothing_is_nothing(body: bytes, content_type: str) -> None:
    assert read_form(body, content_type) is None


@pytest.mark.parametrize("boundary", ["", "\xe9", '"', "a b", "=", "ab; boundary=cd", "x" * 2000, "\x00"])
def test_no_boundary_is_an_error_of_ours(boundary: str) -> None:
    assert read_form(CLICKED, f"multipart/form-data; boundary={boundary}") in (None, OneClick())


def test_parts_within_parts_to_any_depth_are_no_error_of_ours() -> None:
    inner = b"".join(
        b'--%d\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n'
        % (depth, depth + 1)
        for depth in range(400)
    )
    with suppress(Refusal):
        assert read_form(inner, "multipart/form-data; boundary=0") is None


@pytest.mark.parametrize("content_type", [FORM, PARTS])
def test_a_button_comes_with_what_was_ticked_and_shown(content_type: str) -> None:
    pairs = [("act", "save"), ("on", "tips"), ("shown", "news"), ("shown", "tips"), ("text", DIGEST)]
    body = parts(*pairs) if content_type == PARTS else "&".join(f"{name}={value}" for name, value in pairs).encode()

    assert read_form(body, content_type) == Chosen("save", frozenset({"tips"}), frozenset({"news", "tips"}), DIGEST)


@pytest.mark.parametrize("digest", ["", "x", DIGEST.upper(), DIGEST + "0", "é" * 64])
def test_what_is_no_digest_is_none(digest: str) -> None:
    form = read_form(f"act=save&text={digest}".encode(), FORM)

    assert isinstance(form, Chosen)
    assert form.text_digest is None


@pytest.mark.parametrize("content_type", [FORM, PARTS])
def test_a_form_of_too_many_fields_is_refused(content_type: str) -> None:
    many = [("a", "1")] * (MOST_FIELDS + 1)
    body = parts(*many) if content_type == PARTS else b"&".join([b"a=1"] * len(many))

    with pytest.raises(Refusal, match="too many fields"):
        read_form(body, content_type)


def test_an_open_question_is_answered_or_left_open() -> None:
    body = b"act=save&open=beta&open=labs&open=tips&said.beta=yes&said.labs=no&said.tips=perhaps"

    form = read_form(body, FORM)

    assert isinstance(form, Chosen)
    assert [form.on, form.shown, form.left] == [{"beta"}, {"beta", "labs"}, {"tips"}]
