"""What skene.yaml may have for a sender and for links: kept whole, or refused with its line and what to write."""

from pathlib import Path

import pytest

from skene_dagster.errors import DocumentError
from skene_dagster.settings import load


def from_(tmp_path: Path, written: str, field: str = "from") -> str | None:
    """Read the sender of a skene.yaml that has this text, as YAML writes it."""
    escaped = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in written)
    (tmp_path / "skene.yaml").write_text(f'users: {{}}\nsender:\n  {field}: "{escaped}"\n', encoding="utf-8")
    sender = load(tmp_path, {}).sender
    return sender.from_ if field == "from" else sender.reply_to


@pytest.mark.parametrize("field", ["from", "reply_to"])
@pytest.mark.parametrize(
    ("written", "header"),
    [
        pytest.param("hello@example.com", "hello@example.com", id="a bare address"),
        pytest.param(" <hello@example.com> ", "hello@example.com", id="an address in brackets"),
        pytest.param("Acme <hello@example.com>", "Acme <hello@example.com>", id="a name"),
        pytest.param("Acme, Inc. <hello@example.com>", '"Acme, Inc." <hello@example.com>', id="a comma"),
        pytest.param("Acme: News <hello@example.com>", '"Acme: News" <hello@example.com>', id="a colon"),
        pytest.param("Acme; News <hello@example.com>", '"Acme; News" <hello@example.com>', id="a semicolon"),
        pytest.param("Acme (Berlin) <hello@example.com>", '"Acme (Berlin)" <hello@example.com>', id="parentheses"),
        pytest.param("Lena @ Acme <hello@example.com>", '"Lena @ Acme" <hello@example.com>', id="an at sign"),
        pytest.param("O'Neill & Söhne <hello@example.com>", "O'Neill & Söhne <hello@example.com>", id="an umlaut"),
        pytest.param("Ørbit, Ltd <hello@example.com>", '"Ørbit, Ltd" <hello@example.com>', id="a comma and an ø"),
        pytest.param("مريم <hello@example.com>", "مريم <hello@example.com>", id="Arabic"),
        pytest.param('"Acme, Inc." <hello@example.com>', '"Acme, Inc." <hello@example.com>', id="quoted already"),
        pytest.param('"Acme \\"X\\" Inc" <a@example.com>', '"Acme \\"X\\" Inc" <a@example.com>', id="quotes in quotes"),
        pytest.param("Acme <hello@bücher.example.com>", "Acme <hello@xn--bcher-kva.example.com>", id="a domain"),
    ],
)
def test_a_senders_name_is_kept_whole(tmp_path: Path, written: str, header: str, field: str) -> None:
    assert from_(tmp_path, written, field) == header


@pytest.mark.parametrize("written", ["", "  "])
def test_a_sender_that_is_left_empty_is_none(tmp_path: Path, written: str) -> None:
    assert from_(tmp_path, written) == ""


@pytest.mark.parametrize("field", ["from", "reply_to"])
@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param("Acme", "is not one address. Write one, with a name or without: Acme, Inc. <", id="a name alone"),
        pytest.param("a@example.com, b@example.com", "is not one address", id="two addresses"),
        pytest.param("A <a@example.com>, B <b@example.com>", "is not one address", id="two with names"),
        pytest.param("a@example.com, Bob <b@example.com>", "looks like an address itself", id="a bare one before it"),
        pytest.param("Friends: a@example.com, b@example.com;", "is not one address", id="a group"),
        pytest.param("Friends: A <a@example.com>;", "is not one address", id="a group of one"),
        pytest.param("hello@example.com (Acme)", "is not one address", id="a comment"),
        pytest.param("bank@example.com <a@example.com>", "Write a name, or the address alone", id="a false address"),
        pytest.param('Acme "X" Inc <a@example.com>', 'Write "Acme \\"X\\" Inc" <a@example.com>', id="a quote"),
        pytest.param("Acme\\X <a@example.com>", 'Write "Acme\\\\X" <a@example.com>', id="a backslash"),
        pytest.param("Acme\r\nBcc: x@example.com <a@example.com>", "has a control character", id="CR LF"),
        pytest.param("Acme\0 <a@example.com>", "has a control character", id="NUL"),
        pytest.param("Acme\u2028 <a@example.com>", "has a control character", id="a line separator"),
        pytest.param("Acme \u202egro.knab <a@example.com>", "has a control character", id="an override"),
        pytest.param("A" * 201 + " <a@example.com>", "is longer than 200 characters", id="a very long name"),
        pytest.param("Acme <" + "a" * 65 + "@example.com>", "is not one address", id="65 letters before the @"),
    ],
)
def test_what_is_no_sender_is_refused_with_its_line(tmp_path: Path, written: str, says: str, field: str) -> None:
    with pytest.raises(DocumentError) as refused:
        from_(tmp_path, written, field)

    assert str(refused.value).startswith(f"skene.yaml:3  sender.{field}\n")
    assert says in str(refused.value)


BAD_LINKS = [
    pytest.param("javascript:alert(1)", id="javascript"),
    pytest.param(" JaVaScRiPt:alert(1)", id="javascript behind a blank"),
    pytest.param("java\\tscript:alert(1)", id="javascript with a tab in it"),
    pytest.param("data:text/html,x", id="data"),
    pytest.param("vbscript:x", id="vbscript"),
    pytest.param("//example.com", id="no scheme"),
    pytest.param("/guide", id="a path"),
    pytest.param("https://example.com/a b", id="a blank"),
    pytest.param("https://example.com/\\r\\nBcc: x", id="CR LF"),
    pytest.param("https://", id="no host"),
]


@pytest.mark.parametrize("link", BAD_LINKS)
@pytest.mark.parametrize("where", ["link: {}", "guide: [{{title: x, link: {}}}]"])
def test_a_feature_links_to_the_web_or_to_a_mailbox(tmp_path: Path, link: str, where: str) -> None:
    feature = "features:\n  export:\n    title: Export\n    events: [exported]\n    "
    written = where.format(f'"{link}"')
    (tmp_path / "skene.yaml").write_text(feature + written, encoding="utf-8")

    with pytest.raises(DocumentError, match=r"^skene.yaml:5  features.export[.\w]*link\n.* is not a link\. Write an"):
        load(tmp_path, {})


@pytest.mark.parametrize("link", ["", "https://example.com/a?b=c#d", "http://example.com", "mailto:help@example.com"])
def test_an_address_of_the_web_or_a_mailbox_is_a_link(tmp_path: Path, link: str) -> None:
    feature = f'features: {{export: {{title: Export, events: [exported], link: "{link}"}}}}'
    (tmp_path / "skene.yaml").write_text(feature, encoding="utf-8")

    assert load(tmp_path, {}).features["export"].link == link


@pytest.mark.parametrize(
    "url",
    [*BAD_LINKS, "mailto:a@example.com", "{{user.link}}", "https://example.com/{{user.id", "https://example.com/ü"],
)
def test_the_unsubscribe_address_is_one_of_the_web(tmp_path: Path, url: str) -> None:
    (tmp_path / "skene.yaml").write_text(f'sender:\n  unsubscribe_url: "{url}"', encoding="utf-8")

    with pytest.raises(DocumentError, match=r"^skene.yaml:2  sender.unsubscribe_url\n.* is not an unsubs"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    "url", ["https://example.com/u/{{user.id}}", "http://localhost:3000/?u={{ user.id|string }}&t={{user.token}}"]
)
def test_an_unsubscribe_address_names_the_user(tmp_path: Path, url: str) -> None:
    (tmp_path / "skene.yaml").write_text(f'sender: {{unsubscribe_url: "{url}"}}', encoding="utf-8")

    assert load(tmp_path, {}).sender.unsubscribe_url == url
