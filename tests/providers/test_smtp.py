"""Submitting to a mail server: what each of its answers proves, and what its silence does, before the dot and after."""

import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import trustme
from contract import ids_of, message, read
from smtp_server import PASSWORD, USER, MailServer, Stage, mail_server

from skene_dagster.delivery.email.message import Frozen
from skene_dagster.delivery.providers.base import (
    Accepted,
    Answer,
    Fatal,
    Later,
    Refused,
    Throttled,
    Unknown,
    Unreachable,
)
from skene_dagster.delivery.providers.smtp import Server, check, conversation, server_of
from skene_dagster.delivery.providers.smtp.diagnosis import diagnosis
from skene_dagster.delivery.providers.smtp.provider import SmtpProvider
from skene_dagster.errors import SettingsError

NOON = datetime(2026, 11, 23, 12)
AWAY = "127.0.0.2"
"""This machine, as if it were another one: what is sent there is encrypted."""
LARGE = 8 * 1024 * 1024
"""Bytes that no buffer on the way holds."""
LOGIN = "us%40example.com:p%40ss%3Aw%2Frd%25@"


def provider_of(server: MailServer, scheme: str = "smtp", login: str = "", options: str = "") -> SmtpProvider:
    url = f"{scheme}://{login}{server.host}:{server.port}{options}"
    return SmtpProvider(server_of({"SKENE_SMTP_URL": url}), lambda: NOON)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def provider(server: MailServer) -> Iterator[SmtpProvider]:
    provider = provider_of(server)
    yield provider
    provider.close()


def submit(provider: SmtpProvider, number: int = 1, **changed: str) -> Answer:
    return provider.send_batch(provider.freeze([message(number, **changed)]), "key")


def test_an_email_is_written_in_ascii_with_its_date_and_an_id_of_its_send(provider: SmtpProvider) -> None:
    frozen = provider.freeze([message(7, subject="größer", text="größer\n", html="<p>größer</p>")])

    mail = message_from_bytes(frozen.body, policy=default)
    assert frozen.body.isascii()
    assert max(map(len, frozen.body.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n", frozen.body)
    assert mail["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"] == f"<{7:032x}@example.com>"
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_envelope_has_the_bare_addresses_and_the_bytes_are_the_frozen_ones(
    provider: SmtpProvider, server: MailServer
) -> None:
    frozen = provider.freeze([message(1, sender='"Ørbit, Ltd" <hello@example.com>')])

    ids = ids_of(provider.send_batch(frozen, "key"))

    [taken] = server.emails
    assert (taken.sender, taken.recipients) == ("hello@example.com", ("user1@example.com",))
    assert taken.content == frozen.body
    assert ids == (f"{1:032x}",)


def test_a_connection_serves_one_email_after_the_other(provider: SmtpProvider, server: MailServer) -> None:
    for number in range(3):
        ids_of(submit(provider, number))

    assert (len(server.emails), server.connections) == (3, 1)


REFUSED, LATER, THROTTLED, FATAL = Refused("", 0), Later(300.0, ""), Throttled(60.0, ""), Fatal("")


@pytest.mark.parametrize(
    ("stage", "said", "proves"),
    [
        pytest.param("hello", "554 5.7.1 no service for you", FATAL, id="EHLO: never"),
        pytest.param("MAIL", "550 5.1.8 unknown sender", FATAL, id="MAIL: the sender"),
        pytest.param("MAIL", "530 5.7.0 log in first", FATAL, id="MAIL: no login"),
        pytest.param("MAIL", "552 5.3.4 too large", REFUSED, id="MAIL: the size"),
        pytest.param("MAIL", "451 4.3.2 not now", THROTTLED, id="MAIL: not now"),
        pytest.param("RCPT", "550 5.1.1 no such user user1@example.com", REFUSED, id="RCPT: nobody"),
        pytest.param("RCPT", "554 5.7.1 Relay access denied", FATAL, id="RCPT: no relaying"),
        pytest.param("RCPT", "550 relay not permitted", FATAL, id="RCPT: no relaying, in other words"),
        pytest.param("RCPT", "550 5.7.1 only its own organisation may write here", REFUSED, id="RCPT: not to this one"),
        pytest.param("RCPT", "530 5.7.0 log in first", FATAL, id="RCPT: no login"),
        pytest.param("RCPT", "450 4.2.0 greylisted", LATER, id="RCPT: greylisted"),
        pytest.param("RCPT", "454 4.7.0 too fast", THROTTLED, id="RCPT: too fast"),
        pytest.param("DATA", "451 4.3.0 not now", LATER, id="DATA: not now"),
        pytest.param("DATA", "554 5.5.1 no recipients", REFUSED, id="DATA: never"),
        pytest.param("dot", "554 5.7.1 spam", REFUSED, id="dot: never"),
        pytest.param("dot", "452 4.3.1 full", LATER, id="dot: not now"),
        pytest.param("dot", "454 throttling failure: maximum sending rate exceeded", THROTTLED, id="dot: too fast"),
    ],
)
def test_an_answer_is_definite_and_the_next_email_goes(
    provider: SmtpProvider, server: MailServer, stage: Stage, said: str, proves: Refused | Later | Throttled | Fatal
) -> None:
    server.script[stage] = [said] * (2 if stage == "hello" else 1)  # HELO comes after EHLO

    answer = submit(provider)

    assert type(answer) is type(proves)
    assert not isinstance(answer, Accepted)
    assert getattr(answer, "after", None) == getattr(proves, "after", None)
    assert getattr(answer, "index", None) == getattr(proves, "index", None)
    assert answer.reason.startswith(said[:3])
    assert "@" not in answer.reason
    assert server.emails == []
    ids_of(submit(provider, 2))
    assert [taken.recipients for taken in server.emails] == [("user2@example.com",)]


@pytest.mark.parametrize("stage", ["hello", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("what", ["cut", "partial", "long"])
def test_silence_before_the_dot_proves_that_nothing_was_taken(
    provider: SmtpProvider, server: MailServer, stage: Stage, what: str
) -> None:
    server.script[stage] = [what] * 2  # EHLO is followed by HELO

    answer = submit(provider)

    assert isinstance(answer, Unreachable | Fatal if stage == "hello" else Unreachable)
    assert server.emails == []
    server.script.clear()
    ids_of(submit(provider, 2))


def test_a_connection_that_ends_within_a_message_proves_that_nothing_was_taken(
    provider: SmtpProvider, server: MailServer
) -> None:
    server.script["content"] = ["cut"]
    frozen = provider.freeze([message(1)])

    answer = provider.send_batch(Frozen(frozen.send_ids, frozen.body + b"x\r\n" * (LARGE // 3)), "key")

    assert isinstance(answer, Unreachable)
    assert server.emails == []


@pytest.mark.parametrize("what", ["cut", "partial", "nonsense", "long", "silent", "354 go on"])
@pytest.mark.parametrize("taken", ["taken, ", ""], ids=["taken", "not taken"])
def test_silence_after_the_dot_proves_nothing(
    provider: SmtpProvider, server: MailServer, monkeypatch: pytest.MonkeyPatch, what: str, taken: str
) -> None:
    monkeypatch.setattr(conversation, "WHOLE", 1.0)
    server.script["dot"] = [taken + what]

    answer = submit(provider)

    assert isinstance(answer, Unknown)
    assert not answer.answered
    assert len(server.emails) == bool(taken)
    server.over.set()
    ids_of(submit(provider, 2))


def test_a_server_that_trickles_its_answer_is_cut_off(
    provider: SmtpProvider, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "WHOLE", 0.5)
    server.script["dot"] = ["trickled"]

    assert isinstance(submit(provider), Unknown)


def test_a_kept_connection_that_is_silent_leaves_no_second_try_and_no_second_wait(
    provider: SmtpProvider, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids_of(submit(provider, 1))
    monkeypatch.setattr(conversation, "WHOLE", 0.5)
    server.script["MAIL"] = ["silent"]

    assert isinstance(submit(provider, 2), Unreachable)
    assert (len(server.emails), server.connections) == (1, 1)


def test_an_email_is_not_ended_once_its_time_is_over(
    provider: SmtpProvider, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "monotonic", iter([0.0, conversation.WHOLE]).__next__)

    assert submit(provider) == Unreachable(f"{server.host}:{server.port}: it took too long to connect")
    assert server.emails == []


@pytest.mark.parametrize("how", ["421 4.4.2 idle for too long", "cut"])
def test_a_kept_connection_that_the_server_ends_is_opened_again(
    provider: SmtpProvider, server: MailServer, how: str
) -> None:
    ids_of(submit(provider, 1))
    server.script["MAIL"] = [how]

    ids_of(submit(provider, 2))

    assert (len(server.emails), server.connections) == (2, 2)


def test_a_server_that_closes_to_a_new_connection_is_left_alone_for_a_while(
    provider: SmtpProvider, server: MailServer
) -> None:
    server.script["MAIL"] = ["421 4.3.2 shutting down"] * 2

    assert submit(provider) == Throttled(60.0, "421 4.3.2 shutting down")
    assert server.connections == 1


def test_an_email_larger_than_the_server_takes_is_refused_before_it_is_sent() -> None:
    with mail_server(size=100) as server:
        provider = provider_of(server)

        answer = submit(provider)

        provider.close()
    assert isinstance(answer, Refused)
    assert answer.reason.endswith(" takes 100")
    assert server.commands == ["RSET"]


def test_a_server_is_told_how_large_an_email_is() -> None:
    with mail_server(size=1_000_000) as server:
        provider = provider_of(server)
        frozen = provider.freeze([message(1)])

        ids_of(provider.send_batch(frozen, "key"))

        provider.close()
    assert server.commands[0] == f"MAIL FROM:<hello@example.com> size={len(frozen.body)}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the certificate of who issued those of these tests."""
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def certified(authority: trustme.CA, name: str = AWAY) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_starttls_encrypts_before_we_log_in(authority: trustme.CA, trusted: Path) -> None:
    with mail_server(host=AWAY, starttls=certified(authority), login=True) as server:
        provider = provider_of(server, login=LOGIN, options=f"?ssl_ca={trusted}")

        ids_of(submit(provider))

        provider.close()
    assert len(server.emails) == 1


def test_smtps_is_encrypted_from_the_first_byte(authority: trustme.CA, trusted: Path) -> None:
    with mail_server(host=AWAY, tls=certified(authority)) as server:
        provider = provider_of(server, "smtps", options=f"?ssl_ca={trusted}")

        ids_of(submit(provider))

        provider.close()
    assert len(server.emails) == 1


def test_nothing_is_sent_in_clear_to_another_machine() -> None:
    with mail_server(host=AWAY) as server:
        provider = provider_of(server)

        answer = submit(provider)

        provider.close()
    assert answer == Fatal(f"{AWAY}:{server.port} offers no STARTTLS, and nothing is sent there in clear")
    assert server.emails == []


@pytest.mark.parametrize("name", [pytest.param("127.0.0.3", id="of another"), pytest.param(AWAY, id="of a stranger")])
def test_a_certificate_that_cannot_be_trusted_stops_the_run(authority: trustme.CA, trusted: Path, name: str) -> None:
    issuer = trustme.CA() if name == AWAY else authority
    with mail_server(host=AWAY, starttls=certified(issuer, name), login=True) as server:
        provider = provider_of(server, login=LOGIN, options=f"?ssl_ca={trusted}")

        answer = submit(provider)

        provider.close()
    assert isinstance(answer, Fatal)
    assert answer.reason.startswith(f"the certificate of {AWAY}:{server.port} cannot be trusted: ")
    assert server.commands == []


def test_a_wrong_password_stops_the_run_and_is_not_told() -> None:
    with mail_server(login=True) as server:
        provider = provider_of(server, login="us%40example.com:another-one@")

        answer = submit(provider)

        provider.close()
    assert isinstance(answer, Fatal)
    assert answer.reason.startswith("535 ")
    assert "another-one" not in str(answer)


def test_a_login_that_a_server_repeats_is_not_told() -> None:
    plain = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    with mail_server(login=True) as server:
        server.script["AUTH"] = [f"500 5.5.1 what is AUTH PLAIN {plain}, {PASSWORD}?"] * 2
        provider = provider_of(server, login=LOGIN)

        answer = submit(provider)

        provider.close()
    assert answer == Fatal("500 5.5.1 what is AUTH PLAIN <password>, <password>?")


def test_a_server_that_knows_no_login_is_not_given_one(server: MailServer) -> None:
    provider = provider_of(server, login=LOGIN)

    assert isinstance(submit(provider), Fatal)


@pytest.mark.parametrize(
    ("url", "read_as"),
    [
        pytest.param("smtp://mail.example.com", Server("mail.example.com", 587, False, None, None), id="no port"),
        pytest.param("smtps://mail.example.com/", Server("mail.example.com", 465, True, None, None), id="TLS"),
        pytest.param(
            f"smtp://{LOGIN}MAIL.example.com:2525",
            Server("mail.example.com", 2525, False, USER, PASSWORD),
            id="a login with all that is encoded",
        ),
        pytest.param("smtp://[::1]:25", Server("::1", 25, False, None, None), id="IPv6"),
        pytest.param(
            "smtp://mail.example.com?per_second=14",
            Server("mail.example.com", 587, False, None, None, per_second=14.0),
            id="a pace",
        ),
    ],
)
def test_a_url_is_read(url: str, read_as: Server) -> None:
    assert server_of({"SKENE_SMTP_URL": url}) == read_as


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mail.example.com", id="no scheme"),
        pytest.param("http://mail.example.com", id="another scheme"),
        pytest.param("smtp://", id="no host"),
        pytest.param("smtp://mail.example.com:0", id="no port"),
        pytest.param("smtp://mail.example.com:99999", id="a large port"),
        pytest.param("smtp://mail.example.com:x", id="a port that is no number"),
        pytest.param("smtp://secret@mail.example.com", id="a user without a password"),
        pytest.param("smtp://us:se@cret@mail.example.com", id="an @ that is not encoded"),
        pytest.param("smtp://us:se/cret@mail.example.com", id="a / that is not encoded"),
        pytest.param("smtp://us:secret%zz@mail.example.com", id="a % that is not encoded"),
        pytest.param("smtp://us:secret@mail.example.com ", id="a blank"),
        pytest.param("smtp://us:secret@mail.example.com\r\nX: 1", id="two lines"),
        pytest.param("smtp://us:secret@mail.example.com?tls=no", id="an option that is none"),
        pytest.param("smtp://us:secret@mail.example.com?per_second=0", id="no pace"),
        pytest.param("smtp://us:secret@mail.example.com?per_second=1&per_second=2", id="two paces"),
        pytest.param("smtp://us:secret@mail.example.com?ssl_ca=/secret/none.pem", id="a file that is not there"),
        pytest.param("smtp://us:secret@mail.example.com/folder", id="a path"),
        pytest.param("smtp://us:s%C3%A4cret@mail.example.com", id="a password that is not ASCII"),
        pytest.param("smtp://us%00secret:x@mail.example.com", id="a NUL"),
    ],
)
def test_a_url_that_could_not_work_is_refused_and_never_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="SKENE_SMTP_URL") as refused:
        check({"SKENE_SMTP_URL": url})

    assert "secret" not in f"{refused.value} {refused.value.advice}"


def test_the_account_is_the_server_and_who_we_are_there(server: MailServer) -> None:
    one, another, elsewhere = (
        provider_of(server, login=LOGIN),
        provider_of(server, login="us%40example.com:a-new-password@"),
        provider_of(server, login="others:x@"),
    )

    assert one.account == another.account != elsewhere.account


def test_the_pace_is_that_of_the_url(server: MailServer) -> None:
    paced = provider_of(server, options="?per_second=14").rate_limit

    assert paced is not None
    assert (paced.per_second, paced.remaining) == (14.0, None)
    assert provider_of(server).rate_limit is None


def test_the_doctor_says_how_it_is_connected(authority: trustme.CA, trusted: Path) -> None:
    with mail_server(host=AWAY, starttls=certified(authority), login=True) as server:
        url = f"smtp://{LOGIN}{server.host}:{server.port}?ssl_ca={trusted}"

        [told] = diagnosis(server_of({"SKENE_SMTP_URL": url}), "Orbit <hello@example.com>")

    assert told.label == "ok"
    assert re.search(r"answers\. The connection is encrypted by TLSv1\.\d\. It takes our login\.", told.said)
    assert server.emails == []


@pytest.mark.parametrize(
    ("script", "label", "said"),
    [
        pytest.param({"hello": ["554 5.7.1 never"] * 2}, "error", "takes nothing from us: 554", id="never"),
        pytest.param({"hello": ["451 4.3.0 not now"] * 2}, "notice", "takes nothing for now: 451", id="not now"),
        pytest.param({"hello": ["cut"] * 2}, "error", "does not answer: 127.0.0.1:", id="no answer"),
    ],
)
def test_the_doctor_says_why_nothing_would_be_taken(
    server: MailServer, script: dict[Stage, list[str]], label: str, said: str
) -> None:
    server.script |= script

    [told] = diagnosis(server_of({"SKENE_SMTP_URL": f"smtp://{server.host}:{server.port}"}), "hello@example.com")

    assert told.label == label
    assert said in told.said


def test_a_sender_without_an_address_is_told_by_the_doctor(server: MailServer) -> None:
    told = list(diagnosis(server_of({"SKENE_SMTP_URL": f"smtp://{server.host}:{server.port}"}), ""))

    assert [one.label for one in told] == ["error", "ok"]


def test_lines_that_begin_with_a_dot_arrive_as_they_were(provider: SmtpProvider, server: MailServer) -> None:
    text = ".\n..\n.x\n" * 10

    ids_of(submit(provider, 1, text=text))

    assert read(server.emails[0].content).text == text
