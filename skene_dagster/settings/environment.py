"""The environment variables, checked. A message never quotes one that may contain a secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from skene_dagster.documents import shown
from skene_dagster.errors import SettingsError

RESEND_URL = "https://api.resend.com"
Environment = Literal["development", "test", "production"]

_VISIBLE = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"[!#-'*+\-./0-9=?A-Z^-~]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True)
class Variables:
    """The variables, checked; None if one is not set, or empty."""

    database_url: str | None = field(repr=False)
    environment: Environment
    resend_api_key: str | None = field(repr=False)
    redirect_to: str | None
    resend_url: str
    write_key: str | None = field(repr=False)


def read_variables(environ: Mapping[str, str]) -> Variables:
    """Read the variables of this process.

    Raises:
        SettingsError: with the name of one that is wrong.
    """
    environment = environ.get("SKENE_ENV") or "development"
    if environment not in get_args(Environment):
        advice = f"Use one of: {', '.join(get_args(Environment))}."
        raise SettingsError(f"SKENE_ENV is {shown(environment)}.", advice=advice)
    url = environ.get("SKENE_DATABASE_URL") or None
    if url is not None and not (url.isprintable() and url.strip() == url):
        raise SettingsError(
            "SKENE_DATABASE_URL has a space at an end, a line break or another character that is not allowed in a URL.",
            advice="Set it again, on one line.",
        )
    key = environ.get("RESEND_API_KEY") or None
    if key is not None:
        check_api_key(key)
    redirect_to = environ.get("SKENE_REDIRECT_TO") or None
    if redirect_to is not None and _ADDRESS.fullmatch(redirect_to) is None:
        advice = "Write the bare address: me@example.com."
        raise SettingsError(
            f"SKENE_REDIRECT_TO is {shown(redirect_to)}, which is not one email address.", advice=advice
        )
    resend_url = environ.get("RESEND_API_URL") or RESEND_URL
    check_api_url(resend_url)
    write_key = environ.get("SKENE_WRITE_KEY") or None
    if write_key is not None and _VISIBLE.fullmatch(write_key) is None:
        raise SettingsError(
            "SKENE_WRITE_KEY has a space, a line break or a character outside ASCII.",
            advice="Use a long random text of letters and digits.",
        )
    return Variables(url, cast("Environment", environment), key, redirect_to, resend_url, write_key)


def check_api_key(key: str) -> None:
    """Refuse what cannot be used in an HTTP header.

    Raises:
        SettingsError: it is not a key.
    """
    if _VISIBLE.fullmatch(key) is None:
        raise SettingsError("RESEND_API_KEY is not a key.", advice="Copy it again, without spaces and quotes.")


def check_api_url(url: str) -> None:
    """Refuse to send a key unencrypted to another machine.

    Raises:
        SettingsError: it is not an address, or neither https nor on this machine.
    """
    try:
        split = urlsplit(url)
        here = split.hostname in {"127.0.0.1", "localhost"}
        usable = bool(split.hostname) and split.port != 0 and _VISIBLE.fullmatch(url) is not None
    except ValueError:
        usable = here = False
    if not usable or (split.scheme != "https" and not (split.scheme == "http" and here)):
        # Not quoted: it may hold a name and a password, or be the key itself.
        raise SettingsError("RESEND_API_URL is not an address that a key may be sent to.", advice="Use https://.")
