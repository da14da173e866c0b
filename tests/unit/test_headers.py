"""What of a text may stand in an email: no control characters, one kind of line end, and headers of one line."""

import pytest

from skene_dagster.delivery.email.headers import Unrenderable, body, check_address, check_header_link, one_line, subject


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("Hello\n\tAda", "Hello\n\tAda", id="lines and tabs"),
        pytest.param("a\x07b\x00c\x7f", "abc", id="control characters among ASCII"),
        pytest.param("é\x07b\x85c", "ébc", id="control characters among others"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line ends of other systems"),
        pytest.param("a\ud800b", "a\ufffdb", id="half a surrogate pair"),
        pytest.param("".join(map(chr, range(0x20))), "\t\n\n", id="all that comes before a blank"),
        pytest.param("é" + "".join(map(chr, range(0x7E, 0xA1))), "é~\xa0", id="all between a tilde and a fixed blank"),
        pytest.param("~\x7f", "~", id="delete among ASCII"),
    ],
)
def test_a_body_has_no_control_characters(text: str, kept: str) -> None:
    assert body(text) == kept


def test_a_header_is_one_line_without_control_characters() -> None:
    assert one_line(" a\r\nb \x00\x85 c\td\ud800 ") == "a b c d\ufffd"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("x" * 200, "x" * 200, id="as long as may be"),
        pytest.param("x" * 201, "x" * 199 + "…", id="longer"),
        pytest.param("x" * 198 + " yyy", "x" * 198 + "…", id="cut at a blank"),
        pytest.param(" a\nb ", "a b", id="of two lines"),
    ],
)
def test_a_subject_has_200_characters_at_most(text: str, kept: str) -> None:
    assert subject(text) == kept


@pytest.mark.parametrize("text", ["", " \n", "\x00"])
def test_a_subject_of_nothing_is_none(text: str) -> None:
    with pytest.raises(Unrenderable, match="the subject is empty"):
        subject(text)


LONG = ".".join(["d" * 60] * 4) + ".example"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("ada@example.com", "ada@example.com", id="plain"),
        pytest.param("\t ada+a.b@Example.com\r\n", "ada+a.b@example.com", id="with white space around it"),
        pytest.param("o'hara@example.com", "o'hara@example.com", id="with another letter"),
        pytest.param("ada@münchen.example.com", "ada@xn--mnchen-3ya.example.com", id="of an international domain"),
        pytest.param(f"a@{LONG}", f"a@{LONG}", id="as long as may be"),
    ],
)
def test_an_address_is_taken_in_its_own_form(text: str, address: str) -> None:
    assert check_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("ada", id="no domain"),
        pytest.param("ada@example", id="no whole domain"),
        pytest.param("@example.com", id="nobody"),
        pytest.param("ada@b@example.com", id="two signs"),
        pytest.param(f"aaa@{LONG}", id="too long together"),
        pytest.param("Ada <ada@example.com>", id="with a name"),
        pytest.param("=?utf-8?q?ada?=@example.com", id="a header's code for another"),
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Unrenderable, match=r"^invalid address$"):
        check_address(text)


def test_an_unsubscribe_address_is_one_of_the_web() -> None:
    assert check_header_link("https://example.com/u/7") == "https://example.com/u/7"
    with pytest.raises(Unrenderable, match="not an https: address"):
        check_header_link("https://example.com/<7>")
