"""SMTP: any mail server that takes what we submit. What it promises, and what it is told by the environment."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from skene_dagster.delivery.email.message import Frozen, Message
from skene_dagster.delivery.providers.base import Clock, Diagnosis, Registration, Terms
from skene_dagster.errors import SettingsError
from skene_dagster.settings import Settings

if TYPE_CHECKING:
    from skene_dagster.delivery.providers.smtp.provider import SmtpProvider

TERMS = Terms(
    batch_limit=1,
    # SMTP knows no keys: what comes twice is delivered twice.
    key_lives=timedelta(0),
    key_is_kept=timedelta(0),
    proves_after=None,
    # A server does not say how often it may be called; `per_second` of the URL does.
    starts_at=1000.0,
)

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which nothing leaves this machine."""

_PORTS = {"smtp": 587, "smtps": 465}
_TEXT = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
_URL = re.compile(
    rf"(?P<scheme>smtps?)://(?:(?P<user>{_TEXT}):(?P<password>{_TEXT})@)?"
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?/?(?:\?(?P<query>[!-~]+))?"
)
_PER_SECOND = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Server:
    """A mail server, as SKENE_SMTP_URL names it."""

    host: str
    port: int
    is_tls: bool
    """TLS from the first byte; else STARTTLS, but for this machine."""
    user: str | None
    password: str | None = field(repr=False)
    ssl_ca: str | None = None
    """The file with the certificates that are trusted; the system's where it is left out."""
    per_second: float | None = None
    """Emails that it takes in a second, as its operator says; None: any number."""

    @property
    def is_here(self) -> bool:
        """Whether what is sent to it stays on this machine."""
        return self.host in HERE

    @property
    def place(self) -> str:
        """Where it is, without a secret."""
        return f"{self.host}:{self.port}"


def server_of(environ: Mapping[str, str]) -> Server:
    """Read SKENE_SMTP_URL, which is set.

    Raises:
        SettingsError: it is not the address of a mail server, or names a file that is not there. It is not quoted, for
            it may hold a password.
    """
    found = _URL.fullmatch(environ["SKENE_SMTP_URL"])
    port = int(found["port"] or _PORTS[found["scheme"]]) if found else 0
    options = parse_qsl(found["query"] or "", keep_blank_values=True) if found else []
    given = dict(options)
    is_said_twice = len(given) < len(options)
    per_second = given.pop("per_second", "")
    ssl_ca = given.pop("ssl_ca", None)
    is_pace = not per_second or (_PER_SECOND.fullmatch(per_second) is not None and float(per_second) > 0)
    user, password = (unquote(found[part] or "") if found else "" for part in ("user", "password"))
    # smtplib, 2026-11: encodes both as ASCII. A NUL would end the user.
    is_login = all(text.isascii() and text.isprintable() for text in (user, password))
    is_whole = found is not None and 1 <= port <= 65535 and not given and not is_said_twice
    if found is None or not is_whole or not is_pace or not is_login or ssl_ca == "":
        raise SettingsError(
            "SKENE_SMTP_URL is not the address of a mail server.",
            advice="Write smtp://user:password@mail.example.com:587, or smtps:// and port 465, with the user and the "
            "password in ASCII and percent-encoded (% as %25, @ as %40, : as %3A, / as %2F); after ? only "
            "ssl_ca=/path/to/ca.pem and per_second=14.",
        )
    if ssl_ca is not None and not Path(ssl_ca).is_file():
        raise SettingsError(
            "SKENE_SMTP_URL names a file of certificates (ssl_ca) that is not there.",
            advice="Write its whole path, or leave ssl_ca out: the system's certificates are trusted then.",
        )
    return Server(
        host=(found["host"] or found["literal"]).lower(),
        port=port,
        is_tls=found["scheme"] == "smtps",
        user=user or None,
        password=password or None,
        ssl_ca=ssl_ca,
        per_second=float(per_second) if per_second else None,
    )


def check(environ: Mapping[str, str]) -> None:
    """Refuse a SKENE_SMTP_URL that could never work.

    Raises:
        SettingsError: with the name of the variable.
    """
    if environ.get("SKENE_SMTP_URL"):
        server_of(environ)


def _open(settings: Settings, clock: Clock) -> "SmtpProvider":
    from skene_dagster.delivery.providers.smtp.provider import SmtpProvider  # noqa: PLC0415 - only where it is used

    return SmtpProvider(server_of(settings.environ), clock)


def _diagnose(settings: Settings) -> Iterator[Diagnosis]:
    from skene_dagster.delivery.providers.smtp.diagnosis import diagnosis  # noqa: PLC0415 - only where it is used

    return diagnosis(server_of(settings.environ), settings.sender.from_)


def _thaw(batch: Frozen) -> tuple[Message, ...]:
    from skene_dagster.delivery.providers.mime import messages_of  # noqa: PLC0415 - as above

    return messages_of(batch)


REGISTRATION = Registration(TERMS, needs="SKENE_SMTP_URL", check=check, open=_open, diagnose=_diagnose, thaw=_thaw)
