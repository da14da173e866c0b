"""An email that arrived, as its receiver saved it: signed with a real key, which a real DNS server has."""

import base64
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import dkim
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from dns_server import DnsServer
from doctored import told
from small_project import RETENTION, write_project

from skene_dagster.cli import main
from skene_dagster.delivery.received import dns_records

SELECTOR = "skene"
SAID = (
    "Authentication-Results: mx.example.net;\r\n dkim=pass header.i=@example.com header.s=skene header.b=AbC;\r\n"
    " spf=pass (sent by 192.0.2.1) smtp.mailfrom=bounce@send.example.com;\r\n dmarc=pass header.from=example.com"
)
UNSUBSCRIBE = "https://example.com/unsubscribe/7"
HTML = (
    "<html><head><style>p {}</style></head><body><p>Hello Ada</p>"
    f'<p><a href="{UNSUBSCRIBE}">No more of this</a></p><p>1 Example Street,<br>Example Town</p></body></html>'
)
TEXT = f"Hello Ada\r\n\r\nNo more of this: {UNSUBSCRIBE}\r\n1 Example Street\r\nExample Town\r\n"
COVERED = ("from", "to", "subject", "list-unsubscribe", "list-unsubscribe-post")


@pytest.fixture
def root(tmp_path: Path, dns: DnsServer) -> Path:
    dns.texts[f"{SELECTOR}._domainkey.example.com"] = [f"v=DKIM1; k=rsa; p={public_key()}"]
    return write_project(tmp_path / "project", {"retention.yaml": RETENTION})


@lru_cache(maxsize=1)
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public_key() -> str:
    der = key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def headers(**changed: str | None) -> dict[str, str | None]:
    """A marketing email's headers, some of them changed or left out."""
    return {
        "From": "Little Product <hello@example.com>",
        "To": "ada@example.net",
        "Subject": "We miss you",
        "List-Unsubscribe": f"<{UNSUBSCRIBE}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    } | {name.replace("_", "-"): value for name, value in changed.items()}


def written(given: dict[str, str | None], html: str = HTML, text: str = TEXT) -> bytes:
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    lines += ["MIME-Version: 1.0", "Content-Type: multipart/alternative; boundary=b", ""]
    lines += ["--b", "Content-Type: text/plain; charset=utf-8", "", text]
    lines += ["--b", "Content-Type: text/html; charset=utf-8", "", html, "--b--", ""]
    return "\r\n".join(lines).encode()


def signed(message: bytes, domain: str = "example.com", covers: tuple[str, ...] = COVERED) -> bytes:
    pem = key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    there = [name.encode() for name in covers if f"\n{name}:" in f"\n{message.decode().lower()}"]
    signature: bytes = dkim.sign(message, SELECTOR.encode(), domain.encode(), pem, include_headers=there)
    return signature + message


def arrived(message: bytes, said: str = SAID) -> bytes:
    received = "Received: from mail.example.com by mx.example.net; Mon, 30 Nov 2026 09:00:00 +0000\r\n"
    return f"{said}\r\n{received}".encode() + message if said else received.encode() + message


def looked_at(root: Path, message: bytes, exit_code: int) -> str:
    result = doctor(root, message)
    assert result.exit_code == exit_code, result.output
    return told(result)


def doctor(root: Path, message: bytes) -> Result:
    (root / "mail.eml").write_bytes(message)
    return CliRunner().invoke(main, ["--project", str(root), "doctor", "--mail", str(root / "mail.eml")])


def test_of_a_good_email_everything_is_well(root: Path) -> None:
    said = looked_at(root, arrived(signed(written(headers()))), 0)

    for line in (
        "ok mx.example.net says SPF pass for send.example.com, which is aligned with From (example.com).",
        "ok mx.example.net says DKIM pass for example.com, which is aligned with From (example.com).",
        "ok mx.example.net says DMARC pass.",
        "ok The signature of example.com is valid now.",
        "ok The signature of example.com covers List-Unsubscribe and List-Unsubscribe-Post.",
        "ok Recipients unsubscribe by one click, at example.com.",
        "ok The HTML has a link to unsubscribe.",
        "ok The HTML has the postal address.",
        "ok The text has a link to unsubscribe.",
        "ok The text has the postal address.",
        "ok Its HTML has 1 KB, of the 102 KB that Gmail shows.",
    ):
        assert line in said
    assert said.count("ok ") == 11


def test_lines_that_a_mail_program_ended_in_its_own_way_change_nothing(root: Path) -> None:
    looked_at(root, arrived(signed(written(headers()))).replace(b"\r\n", b"\n"), 0)


def test_what_it_says_fits_a_terminal(root: Path) -> None:
    lines = doctor(root, written(headers(List_Unsubscribe="nothing"), html="<p>x</p>")).output.splitlines()

    assert max(map(len, lines)) <= 80


def results(methods: dict[str, str]) -> str:
    return "Authentication-Results: mx.example.net; " + "; ".join(methods.values())


GOOD = {
    "spf": "spf=pass smtp.mailfrom=send.example.com",
    "dkim": "dkim=pass header.d=example.com",
    "dmarc": "dmarc=pass header.from=example.com",
}


@pytest.mark.parametrize(
    ("changed", "exit_code", "says"),
    [
        ({"spf": "spf=fail smtp.mailfrom=x@send.example.com"}, 3, "error mx.example.net says SPF fail for send.ex"),
        ({"spf": "spf=softfail smtp.mailfrom=example.com"}, 4, "notice mx.example.net says SPF softfail for example"),
        (
            {"spf": "spf=pass smtp.mailfrom=a@amazonses.com"},
            0,
            "it is not aligned with From (example.com), DMARC rests",
        ),
        ({"spf": "x=y"}, 4, "notice mx.example.net says nothing of SPF."),
        ({"dkim": "dkim=fail header.d=example.com"}, 3, "error mx.example.net says DKIM fail."),
        (
            {"dkim": "dkim=pass header.d=amazonses.com"},
            3,
            "DKIM pass for amazonses.com, which is not aligned with From",
        ),
        ({"dkim": "x=y"}, 3, "error mx.example.net says nothing of DKIM."),
        ({"dmarc": "dmarc=fail header.from=example.com"}, 3, "error mx.example.net says DMARC fail."),
        ({"dmarc": "dmarc=none header.from=example.com"}, 4, "found no DMARC record of example.com."),
        ({"dmarc": "x=y"}, 4, "notice mx.example.net says nothing of DMARC."),
    ],
)
def test_what_the_receiver_found_out_is_told(root: Path, changed: dict[str, str], exit_code: int, says: str) -> None:
    message = arrived(signed(written(headers())), results(GOOD | changed))

    assert says in looked_at(root, message, exit_code)


def test_a_strict_policy_asks_for_the_very_domain(root: Path, dns: DnsServer) -> None:
    dns.texts["_dmarc.example.com"] = ["v=DMARC1; p=reject; aspf=s; adkim=s"]

    said = looked_at(root, arrived(signed(written(headers()))), 0)

    assert "SPF pass for send.example.com; as it is not aligned with From (example.com), DMARC rests on DKIM" in said
    assert "DKIM pass for example.com, which is aligned" in said


def test_what_the_sender_wrote_below_the_receiver_is_not_believed(root: Path) -> None:
    forged = written(headers(Authentication_Results="mx.forged.example; spf=fail"))

    assert "SPF fail" not in looked_at(root, arrived(signed(forged)), 0)


def test_a_message_saved_by_its_sender_is_told(root: Path) -> None:
    said = looked_at(root, arrived(signed(written(headers())), said=""), 4)

    assert "No receiver wrote down what it found out" in said
    assert "Save the message from the mailbox that it arrived in" in said
    assert "ok The signature of example.com is valid now." in said


def test_a_body_that_was_changed_on_its_way_is_told(root: Path) -> None:
    message = signed(written(headers())).replace(b"Hello Ada", b"Hello Eve")

    said = looked_at(root, arrived(message), 3)

    assert "error The signature of example.com is not valid: the body was changed after it was signed." in said


@pytest.mark.parametrize("texts", [[], ["v=DKIM1; p="], ["v=DKIM1; k=rsa; p=AAAA"], ["rubbish"], ["é" * 300]])
def test_a_key_that_dns_has_not_or_not_right_is_told(root: Path, dns: DnsServer, texts: list[str]) -> None:
    dns.texts[f"{SELECTOR}._domainkey.example.com"] = texts

    said = looked_at(root, arrived(signed(written(headers()))), 3)

    assert "error The signature of example.com is not valid: " in said


def test_where_dns_does_not_answer_the_receiver_is_still_read(
    root: Path, dns: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns_records, "PATIENCE", 0.2)
    dns.trouble = "silent"

    said = looked_at(root, arrived(signed(signed(written(headers())))), 4)

    assert said.count("was not verified: DNS did not answer about skene._domainkey.example.com.") == 2
    assert "ok mx.example.net says DMARC pass." in said
    assert "covers List-Unsubscribe and List-Unsubscribe-Post" in said


def test_an_email_without_a_signature_is_told(root: Path) -> None:
    assert "error The message has no DKIM signature." in looked_at(root, arrived(written(headers())), 3)


def test_a_signature_of_somebody_else_alone_is_told(root: Path, dns: DnsServer) -> None:
    dns.texts[f"{SELECTOR}._domainkey.example.org"] = [f"p={public_key()}"]

    said = looked_at(root, arrived(signed(written(headers()), "example.org")), 3)

    assert "ok The signature of example.org is valid now." in said
    assert "error No signature is of a domain that is aligned with From (example.com)." in said


@pytest.mark.parametrize(
    ("covers", "lacks"),
    [
        (COVERED[:3], "List-Unsubscribe and List-Unsubscribe-Post"),
        (COVERED[:4], "List-Unsubscribe-Post"),
    ],
)
def test_a_signature_that_does_not_cover_the_one_click_is_told(root: Path, covers: tuple[str, ...], lacks: str) -> None:
    said = looked_at(root, arrived(signed(written(headers()), covers=covers)), 3)

    assert f"error The signature of example.com does not cover {lacks} (h=)." in said


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"List_Unsubscribe": "<http://example.com/u>"}, "error List-Unsubscribe has no https:// address"),
        ({"List_Unsubscribe": UNSUBSCRIBE}, "error List-Unsubscribe has no https:// address in angle brackets."),
        ({"List_Unsubscribe": "<mailto:no@example.com>"}, "error List-Unsubscribe has no https:// address"),
        ({"List_Unsubscribe": "<https://[>"}, "error List-Unsubscribe has no https:// address"),
        ({"List_Unsubscribe_Post": None}, "error It has List-Unsubscribe, and no List-Unsubscribe-Post."),
        ({"List_Unsubscribe_Post": "One-Click"}, "error List-Unsubscribe-Post is not exactly List-Unsubscribe=One-Cl"),
    ],
)
def test_a_one_click_that_does_not_work_is_told(root: Path, changed: dict[str, str | None], says: str) -> None:
    assert says in looked_at(root, arrived(signed(written(headers(**changed)))), 3)


def test_a_mailto_beside_the_link_does_no_harm(root: Path) -> None:
    both = f"<mailto:no@example.com>, <{UNSUBSCRIBE}>"

    looked_at(root, arrived(signed(written(headers(List_Unsubscribe=both)))), 0)


def test_an_email_that_its_recipient_asked_for_needs_no_link(root: Path) -> None:
    mine = headers(List_Unsubscribe=None, List_Unsubscribe_Post=None)

    said = looked_at(root, arrived(signed(written(mine, html="<p>Your code: 7</p>", text="Your code: 7"))), 4)

    assert "It has no List-Unsubscribe. Marketing must have it" in said
    assert "error" not in said


@pytest.mark.parametrize(
    ("html", "says"),
    [
        (HTML.replace(UNSUBSCRIBE, "https://example.org"), "error The HTML shows no link to unsubscribe."),
        (HTML.replace("<p><a", '<p style="display:none"><a'), "error The HTML shows no link to unsubscribe."),
        (HTML.replace("Street", "Road"), "error The HTML lacks the postal address (1 Example Street, Example Town)."),
        (HTML + "<!-- " + "x" * 102 * 1024 + "-->", "KB: Gmail cuts off what is over 102 KB"),
    ],
    ids=["no link", "a hidden link", "no address", "too long"],
)
def test_a_body_that_lacks_what_marketing_needs_is_told(root: Path, html: str, says: str) -> None:
    assert says in looked_at(root, arrived(signed(written(headers(), html=html))), 3)


def test_a_link_is_known_by_its_words_too(root: Path) -> None:
    html = HTML.replace(UNSUBSCRIBE, "https://example.org/x").replace("No more of this", "Unsubscribe")

    assert "ok The HTML has a link to unsubscribe." in looked_at(
        root, arrived(signed(written(headers(), html=html))), 0
    )


def test_whoever_writes_about_a_topic_has_a_postal_address_of_their_own(root: Path) -> None:
    file = root / "skene.yaml"
    other = "senders:\n  club:\n    from: Club <club@example.com>\n    postal_address: 2 Other Road, Example Town\n"
    file.write_text(file.read_text(encoding="utf-8") + other, encoding="utf-8")
    html, text = (body.replace("1 Example Street", "2 Other Road") for body in (HTML, TEXT))

    ours = written(headers(From="The Club <Club@example.com>"))
    theirs = written(headers(From="The Club <Club@example.com>"), html, text)

    assert "lacks the postal address (2 Other Road, Example Town)" in looked_at(root, arrived(signed(ours)), 3)
    assert "ok The HTML has the postal address." in looked_at(root, arrived(signed(theirs)), 0)


def test_a_link_to_our_own_pages_is_known(root: Path) -> None:
    file = root / "skene.yaml"
    mine = "  public_url: https://mail.example.com\n"
    old = "  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}\n"
    file.write_text(file.read_text(encoding="utf-8").replace(old, mine), encoding="utf-8")
    page = "https://mail.example.com/u/token"

    html, text = HTML.replace(UNSUBSCRIBE, page), TEXT.replace(UNSUBSCRIBE, page)
    said = looked_at(root, arrived(signed(written(headers(List_Unsubscribe=f"<{page}x>"), html, text))), 0)

    assert "ok The HTML has a link to unsubscribe." in said
    assert "ok The text has a link to unsubscribe." in said


def deep(levels: int) -> bytes:
    head = b"From: a@example.com\r\n"
    for level in range(levels):
        head += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
    return head


@pytest.mark.parametrize(
    ("message", "says"),
    [
        pytest.param(lambda: b"", "mail.eml is empty. Save a message", id="nothing"),
        pytest.param(lambda: b" \r\n \n", "mail.eml is empty.", id="blanks"),
        pytest.param(lambda: b"hello\n", "mail.eml is no email: it has no From.", id="a text"),
        pytest.param(lambda: b"%PDF-1.7\n\x00\xff", "mail.eml is no email: it has no From.", id="a PDF"),
        pytest.param(lambda: b"\x00" * 5000, "mail.eml is no email", id="zeros"),
        pytest.param(lambda: b"From: a@example.com\r\n\r\n" + b"x" * (50 * 1024**2), "more than 25 MB", id="50 MB"),
        pytest.param(lambda: deep(3000), "mail.eml cannot be read as an email.", id="a thousand boxes in boxes"),
    ],
)
def test_what_is_no_email_is_one_sentence(root: Path, message: Callable[[], bytes], says: str) -> None:
    said = looked_at(root, message(), 2)

    assert says in said
    assert said.startswith("error ")


FROM = b"From: a@example.com\r\n"
HTML_PART = FROM + b"Content-Type: text/html\r\n\r\n"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"From: \r\n\r\nx", id="an empty From"),
        pytest.param(b"From: a@b\r\nFrom: c@d\r\n\r\nx", id="two of them"),
        pytest.param(b"From: =?utf-8?b?////?= <\xff\xfe@\x00>\r\n\r\nx", id="bytes in From"),
        pytest.param(b"From: a@" + b"x" * 100_000 + b"\r\n\r\nx", id="a long domain"),
        pytest.param(FROM + b"DKIM-Signature: \r\n\r\nx", id="an empty signature"),
        pytest.param(FROM + b"DKIM-Signature: v=1; a=rsa-sha256; d=..; s=\xff; h=; b=; bh=\r\n\r\nx", id="a bad one"),
        pytest.param(FROM + b"DKIM-Signature: d=" + b"x" * 100_000 + b"\r\n\r\nx", id="a long one"),
        pytest.param(FROM + b"DKIM-Signature: d=a\r\n" * 5000 + b"\r\nx", id="5,000 signatures"),
        pytest.param(FROM + b"no header\r\n\xff: x\r\n\r\nx", id="lines that are no headers"),
        pytest.param(FROM + b"Content-Type: text/html; charset=rot13\r\n\r\n<a href=x>", id="a charset that is none"),
        pytest.param(FROM + b"Content-Type: text/html; charset=\xff\r\n\r\n<a", id="bytes in its place"),
        pytest.param(HTML_PART + b"<!--" * 100_000, id="comments that do not end"),
        pytest.param(HTML_PART + b"<a href='" * 100_000, id="links that do not end"),
        pytest.param(HTML_PART + b"<![" * 100_000, id="marked sections"),
        pytest.param(HTML_PART + b"<" * 300_000, id="angle brackets"),
        pytest.param(HTML_PART + b"<a href=x><p style=display:none>" * 10_000, id="elements in elements"),
        pytest.param(FROM + b"Content-Transfer-Encoding: base64\r\n\r\n=\xff!!", id="base64 that is none"),
        pytest.param(FROM + b"List-Unsubscribe: " + b"<" * 100_000 + b"\r\n\r\nx", id="brackets in a header"),
        pytest.param(FROM + b"List-Unsubscribe: <https://" + b"x" * 100_000 + b">\r\n\r\nx", id="a long host"),
        pytest.param(FROM + b"Authentication-Results: " + b"(a=b;" * 50_000 + b"\r\n\r\nx", id="results"),
        pytest.param(FROM + b"Authentication-Results: " + b"x" * 50_000 + b"; spf=none\r\n\r\nx", id="a long name"),
        pytest.param(FROM + b"Subject: \x1b[31mred\r\nDKIM-Signature: d=\x1b[31m\r\n\r\nx", id="a terminal"),
    ],
)
def test_whatever_a_stranger_wrote_ends_in_findings(root: Path, message: bytes) -> None:
    result = doctor(root, message)

    assert result.exit_code in (3, 4), result.output
    assert "\x1b" not in result.output
    assert len(result.output) < 20_000


def test_a_file_that_is_not_there_is_a_wrong_call(root: Path) -> None:
    result = CliRunner().invoke(main, ["--project", str(root), "doctor", "--mail", str(root / "none.eml")])

    assert result.exit_code == 2
    assert "does not exist" in told(result)
