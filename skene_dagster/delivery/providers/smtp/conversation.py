"""A conversation with a mail server, over smtplib: what each of its answers proves, and what its silence does.

Until the dot that ends a message has left, nothing of it is taken (RFC 5321, 4.1.1.4): whatever happens before is
definite. After the dot only an answer is. So the dot is sent by itself, when everything else has left.
"""

import re
import smtplib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import TypeAlias

from skene_dagster.delivery.providers.base import Fatal, Later, Refused, Throttled, Unknown, Unreachable
from skene_dagster.delivery.providers.smtp import Server

CONNECT = 10.0
"""Seconds to connect."""

WHOLE = 40.0
"""Seconds for one message, all of its parts together: a call ends within its lease."""

SHORTLY = 60.0
"""Seconds until a server is asked again that takes nothing for now."""

GREYLISTED = 300.0
"""Seconds until a message is tried again that was put off: as long as greylisting usually takes."""

Failure: TypeAlias = Fatal | Later | Refused | Throttled | Unknown | Unreachable

_ADDRESS = re.compile(r"[^\s<>\"'`,;:]+@[^\s<>\"'`,;:]+")
_DOT_FIRST = re.compile(rb"^\.", re.MULTILINE)
_SILENCE = (OSError, smtplib.SMTPException, ValueError)
"""What smtplib raises where no answer comes, or none that can be read."""


@dataclass(frozen=True)
class Envelope:
    """From whom to whom a message goes; bare addresses."""

    sender: str
    recipient: str


class Conversation:
    """Submits messages one after the other; what went wrong closes the connection, and the next one opens another."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        self._ends_at = 0.0
        """When the call that is under way has taken its time, by the monotonic clock."""

    def submit(self, envelope: Envelope, message: bytes) -> Failure | None:
        """Submit a message; None: it was taken.

        Args:
            message: its lines end with CRLF, the last one as well.
        """
        is_kept = self._smtp is not None
        with self._in_time():
            answer = self._submit(envelope, message)
            if is_kept and answer is not None and _ends_the_connection(answer) and not self._is_late():
                # A server may end a connection that was idle, or had its share. Nothing of the message was taken.
                answer = self._submit(envelope, message)
        return answer

    def open(self) -> Failure | None:
        """Connect and log in; None: the server would take a message."""
        with self._in_time():
            return self._opened()

    def encryption(self) -> str:
        """Say by what the open connection is encrypted; empty where it is not."""
        link = self._smtp.sock if self._smtp is not None else None
        return link.version() or "" if isinstance(link, ssl.SSLSocket) else ""

    def close(self) -> None:
        """End the connection, if there is one."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(*_SILENCE):
                smtp.quit()
            smtp.close()

    def _submit(self, envelope: Envelope, message: bytes) -> Failure | None:
        answer = self._opened() or self._before_the_dot(envelope, message)
        return answer or self._dot()

    def _opened(self) -> Failure | None:
        if self._smtp is not None:
            return None
        place = self._server.place
        answer: Failure | None
        try:
            answer = self._connected()
        except smtplib.SMTPAuthenticationError as said:
            answer = _of_the_server(said.smtp_code, self._without_login(_text(said.smtp_error)))
        except smtplib.SMTPResponseException as said:
            answer = _of_the_server(said.smtp_code, said.smtp_error)
        except ssl.SSLCertVerificationError as bad:
            answer = Fatal(f"the certificate of {place} cannot be trusted: {bad.verify_message}")
        except smtplib.SMTPServerDisconnected as bad:
            answer = self._unreachable(bad)
        except smtplib.SMTPException:
            answer = Fatal(f"{place} offers no login that is known here")
        except _SILENCE as bad:
            answer = self._unreachable(bad)
        if answer is not None:
            self._hang_up()
        return answer

    def _connected(self) -> Failure | None:
        server = self._server
        trust = ssl.create_default_context(cafile=server.ssl_ca) if server.is_tls or not server.is_here else None
        smtp = smtplib.SMTP_SSL(timeout=CONNECT, context=trust) if server.is_tls else smtplib.SMTP(timeout=CONNECT)
        # Python, 2026-11: it keeps the host, whose name the certificate must have, only if its constructor connects.
        smtp._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001
        self._smtp = smtp
        code, text = smtp.connect(server.host, server.port)
        if code != 220:
            return _of_the_server(code, text)
        smtp.ehlo_or_helo_if_needed()
        if trust is not None and not server.is_tls:
            if not smtp.has_extn("starttls"):
                return Fatal(f"{server.place} offers no STARTTLS, and nothing is sent there in clear")
            smtp.starttls(context=trust)
            smtp.ehlo_or_helo_if_needed()
        if server.user is not None and server.password is not None:
            smtp.login(server.user, server.password)
        assert smtp.sock is not None
        smtp.sock.settimeout(WHOLE)
        # The dot goes by itself: Nagle's algorithm would hold it back until the message is acknowledged, 40 ms.
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return None

    def _before_the_dot(self, envelope: Envelope, message: bytes) -> Failure | None:
        """Send everything but the dot; whatever is answered, or not, is definite."""
        smtp = self._smtp
        assert smtp is not None
        try:
            answer = self._enveloped(smtp, envelope, len(message))
            if answer is None:
                smtp.send(_DOT_FIRST.sub(b"..", message))
        except _SILENCE as bad:
            self._hang_up()
            return self._unreachable(bad)
        if isinstance(answer, Throttled):
            self._hang_up()
        elif answer is not None:
            self._forget(smtp)
        return answer

    def _enveloped(self, smtp: smtplib.SMTP, envelope: Envelope, size: int) -> Failure | None:
        limit = smtp.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            return Refused(f"the email has {size:,} bytes, and {self._server.place} takes {int(limit):,}", 0)
        code, text = smtp.mail(envelope.sender, [f"size={size}"] if smtp.has_extn("size") else [])
        if code != 250:
            # It is about the sender, and so about everybody; but for the size.
            return Refused(_said(code, text), 0) if code == 552 else _of_the_server(code, text)
        code, text = smtp.rcpt(envelope.recipient)
        if code not in {250, 251, 252}:
            # "Relaying denied", "authentication required": it takes nothing from us, whoever it is for. Other words of
            # policy (5.7.1: only its own organisation may write to this mailbox) are about this recipient.
            is_about_us = code == 530 or (code >= 500 and "relay" in _text(text).lower())
            return _of_the_server(code, text) if is_about_us else _of_the_message(code, text)
        code, text = smtp.docmd("DATA")
        return None if code == 354 else _of_the_message(code, text)

    def _dot(self) -> Failure | None:
        """End the message. Only what is answered now is known; silence leaves it in doubt."""
        smtp = self._smtp
        assert smtp is not None
        if self._is_late():
            # To connect may have taken any time, for each of the host's addresses; another may hold the batch by now.
            self._hang_up()
            return Unreachable(f"{self._server.place}: it took too long to connect")
        try:
            smtp.send(b".\r\n")
            code, text = smtp.getreply()
        except _SILENCE as bad:
            self._hang_up()
            return Unknown(f"no answer after the message: {_named(bad)}")
        if code == 250:
            return None
        if 400 <= code < 600:
            answer = _of_the_message(code, text)
            if isinstance(answer, Throttled):
                self._hang_up()
            return answer
        self._hang_up()
        return Unknown(f"no answer after the message that can be read: {_said(code, text)}")

    def _forget(self, smtp: smtplib.SMTP) -> None:
        """Have the server forget the message that it did not want."""
        try:
            code, _ = smtp.docmd("RSET")
        except _SILENCE:
            code = -1
        if code != 250:
            self._hang_up()

    def _without_login(self, said: str) -> str:
        """Take out what a server repeats of a login that it did not understand."""
        user, password = self._server.user or "", self._server.password or ""
        secrets = [b64encode(text.encode()).decode() for text in (f"\0{user}\0{password}", password)]
        for secret in (*secrets, password):
            said = said.replace(secret, "<password>")
        return said

    def _is_late(self) -> bool:
        return monotonic() >= self._ends_at

    def _unreachable(self, bad: Exception) -> Unreachable:
        return Unreachable(f"{self._server.place}: {_named(bad)}")

    def _hang_up(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        # smtplib's timeout is for each part of an answer, of which there may be any number.
        self._ends_at = monotonic() + WHOLE
        is_over = threading.Event()

        def cut_when_late() -> None:
            wait = WHOLE
            while not is_over.wait(wait):
                self._cut()
                # There may have been nothing to cut yet: it was connecting.
                wait = 0.1

        threading.Thread(target=cut_when_late, daemon=True).start()
        try:
            yield
        finally:
            is_over.set()

    def _cut(self) -> None:
        link = self._smtp.sock if self._smtp is not None else None
        # It may be closed at this very moment.
        with suppress(OSError):
            if link is not None:
                link.shutdown(socket.SHUT_RDWR)


def _ends_the_connection(answer: Failure) -> bool:
    return isinstance(answer, Unreachable) or (isinstance(answer, Throttled) and answer.reason.startswith("421"))


def _of_the_server(code: int, text: bytes | str) -> Failure:
    """Sort an answer that holds for whatever we would send."""
    said = _said(code, text)
    if 400 <= code < 500:
        return Throttled(SHORTLY, said)
    return Fatal(said) if 500 <= code < 600 else Unreachable(said)


def _of_the_message(code: int, text: bytes | str) -> Failure:
    """Sort an answer to one message."""
    said = _said(code, text)
    if code in {421, 454}:
        # It closes, or throttles its sender (Amazon SES): whatever comes next would be answered alike.
        return Throttled(SHORTLY, said)
    if 400 <= code < 500:
        return Later(GREYLISTED, said)
    return Refused(said, 0) if 500 <= code < 600 else Unreachable(said)


def _said(code: int, text: bytes | str) -> str:
    """Make a reason that can be logged: one line, without addresses."""
    return _ADDRESS.sub("<address>", " ".join(f"{code} {_text(text)}".split()))[:300]


def _text(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _named(bad: Exception) -> str:
    """Say what went wrong, without what a server may have repeated of a message."""
    if isinstance(bad, smtplib.SMTPServerDisconnected):
        return "the connection was closed"
    return (bad.strerror if isinstance(bad, OSError) else None) or type(bad).__name__
