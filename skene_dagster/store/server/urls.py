"""The database's URL, taken apart. No message quotes it: what looks like a host may be half a password."""

import re
from urllib.parse import unquote_to_bytes

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from skene_dagster.documents import shown
from skene_dagster.errors import SettingsError

FOR_EXAMPLE = "Write mysql+pymysql://user:password@host:4000/database, or sqlite:///path/to/file.db."

SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
SERVER = frozenset({"mysql", "mysql+pymysql"})

_PARAMETERS = frozenset(
    {"ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "resource_group", "unix_socket"}
)
_ENCODE = "In a user name or password, write % as %25, : as %3A, / as %2F, ? as %3F, # as %23 and @ as %40."
_LONGEST_PATH = 1000
_WITH_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z0-9+]+)://(?P<rest>.*)")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = re.compile(r"[0-9]{1,5}")


def parse(url: str) -> URL:
    """Take SKENE_DATABASE_URL apart.

    Raises:
        SettingsError: it is none, of a database that is not supported, or is ambiguous.
    """
    found = _WITH_AUTHORITY.fullmatch(url)
    if found is None:
        raise _wrong("is not a database URL")
    scheme = found["scheme"]
    if scheme.startswith("postgres"):
        raise _wrong(
            "is a PostgreSQL URL, which is not supported",
            "TiDB speaks MySQL's protocol: use its MySQL endpoint, mysql+pymysql://…:4000/….",
        )
    if scheme not in SQLITE | SERVER:
        raise _wrong(f"begins with {shown(scheme)}, which is not supported")
    if scheme in SERVER:
        _check_server(found["rest"])
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _wrong("is not a database URL") from None
    if scheme in SERVER and not parsed.database:
        raise _wrong("names no database")
    if len(parsed.database or "") > _LONGEST_PATH:
        raise _wrong("has a database name that is too long")
    allowed = _PARAMETERS if scheme in SERVER else frozenset()
    for name, value in parsed.query.items():
        if name not in allowed:
            known = f"Known are: {', '.join(sorted(allowed))}." if allowed else "Remove what follows the ?."
            raise _wrong(f"has a parameter {shown(name)}, which is unknown", known)
        if not isinstance(value, str):
            raise _wrong(f"has the parameter {shown(name)} twice", "Keep one.")
    return parsed


def _check_server(rest: str) -> None:
    """Refuse what SQLAlchemy would read otherwise than it was meant, or take for the host's name and print.

    SQLAlchemy, 2026-11: `user:pa@ss/word@host/db` is for it the host `ss` and the database `word@host/db`.
    """
    before, at, after = rest.partition("@")
    user, _, password = before.partition(":")
    if "@" in after or (at and any(character in user for character in "/?#[]")):
        raise _wrong("is ambiguous", _ENCODE)
    if at and not (_is_encoded(user) and _is_encoded(password)):
        raise _wrong("has a % that does not begin an encoded character", _ENCODE)
    authority = re.split(r"[/?#]", after if at else rest)[0]
    host, port = _host_and_port(authority)
    if authority and not (_HOST.fullmatch(host) and all(0 < len(label) < 64 for label in host.split("."))):
        raise _wrong("names no host", _ENCODE if at else FOR_EXAMPLE)
    if port is not None and not (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise _wrong(
            "has a port that is not a number", "Write one from 1 to 65535 after the host: …@host:4000/database."
        )


def _host_and_port(authority: str) -> tuple[str, str | None]:
    end = authority.rfind("]") + 1
    host, colon, port = authority[end:].partition(":")
    return authority[:end] + host, port if colon else None


def _is_encoded(text: str) -> bool:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return False
    try:
        return "\0" not in unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False


def _wrong(what: str, advice: str = FOR_EXAMPLE) -> SettingsError:
    return SettingsError(f"SKENE_DATABASE_URL {what}.", advice=advice)
