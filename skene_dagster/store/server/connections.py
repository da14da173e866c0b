"""Connections to TiDB, and to what else speaks MySQL's protocol: encrypted as the URL says, in UTC, strict, signed."""

import re
import socket
import ssl
from typing import Any

import pymysql
from sqlalchemy import URL, Engine, create_engine, event

from skene_dagster.errors import SettingsError, StoreError
from skene_dagster.store.failures import NOT_NOW, code_of, words_of
from skene_dagster.store.server import labels

CONNECT_SECONDS = 10
"""For a server to take a connection, and for each of its answers until it is ready."""

GONE_SECONDS = 60
"""After which a server that cannot be reached any more is given up; one that is there may take as long as it takes."""

# Strict, so that a value that does not fit is refused rather than bent into somebody else's key. Not
# ERROR_FOR_DIVISION_BY_ZERO and NO_ZERO_DATE: under them a condition would fail that a plain SELECT answers.
_SQL_MODE = "STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,NO_ENGINE_SUBSTITUTION"

# TiDB takes this for a comment: it sorts whole values, and keeps a list of values what it is.
# MariaDB 10.11, 2026-11: by default it sorts by the first 1,024 bytes of a value's weights, and so finds a long key
# twice when it sorts in order to group.
# And it makes a temporary table of an IN list of 1,000 values or more, and joins that: to find 10,000 addresses among a
# million users takes 3 s of its processor then, and 0.2 s otherwise.
_ON_MARIADB = "/*M! , max_sort_length = 65536, in_predicate_conversion_threshold = 0 */"


def open_server(url: URL, patience: float | None) -> Engine:
    """Describe the server at a URL with the driver mysql+pymysql; see `engine.open_engine`.

    Raises:
        SettingsError: the URL says something that no server can be told.
    """
    connect_args: dict[str, Any] = {"program_name": labels.PROGRAM, "charset": "utf8mb4"}
    # PyMySQL, 2026-11: connect_timeout is for the socket alone; a server that hangs takes connections and says nothing.
    at_first = min(CONNECT_SECONDS, patience or CONNECT_SECONDS)
    connect_args |= {"connect_timeout": at_first, "read_timeout": at_first, "write_timeout": patience}
    if "ssl_ca" in url.query:
        # PyMySQL, 2026-11: as URL parameters the CA is lost and the host name is not checked.
        connect_args["ssl"] = _verifying(str(url.query["ssl_ca"]))
        url = url.difference_update_query(["ssl_ca", "ssl_verify_cert", "ssl_verify_identity"])
    group = url.query.get("resource_group")
    if group is not None and not (isinstance(group, str) and re.fullmatch(r"\w{1,32}", group)):
        raise SettingsError(
            "SKENE_DATABASE_URL has a resource_group that is not a valid name.",
            advice="A resource group has up to 32 letters, digits and underscores.",
        )
    url = url.difference_update_query(["resource_group"])
    engine = create_engine(
        url,
        connect_args=connect_args,
        # TiDB and InnoDB then agree on what a statement sees, and INSERT … SELECT locks no row that it reads.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        # TiDB Cloud, 2026-11: idle connections are cut after minutes.
        pool_recycle=300,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _record: object) -> None:
        _notice_when_gone(dbapi_connection._sock)  # noqa: SLF001 - PyMySQL has no other way to it
        with dbapi_connection.cursor() as cursor:
            cursor.execute(
                f"SET time_zone = '+00:00', collation_connection = 'utf8mb4_bin', sql_mode = '{_SQL_MODE}'{_ON_MARIADB}"
            )
            if group is not None:
                _use_resource_group(cursor, group)
        dbapi_connection._read_timeout = patience  # noqa: SLF001 - PyMySQL has no other way to it
        # SQLAlchemy, 2026-11: to MariaDB it adds RETURNING unasked, which TiDB does not know.
        engine.dialect.insert_returning = engine.dialect.delete_returning = False

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def sign(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> tuple[str, Any]:
        return labels.signed(statement), parameters

    @event.listens_for(engine, "handle_error")
    def disconnect(context: Any) -> None:
        # TiDB, 2026-11: in a rolling restart it answers a ping with 1053, which SQLAlchemy takes for an error.
        if code_of(context.original_exception) == 1053:
            context.is_disconnect = True

    return engine


def _notice_when_gone(connection: socket.socket) -> None:
    """Let the system ask whether the server is there while a statement takes its time: unasked, it waits two hours."""
    asked_every = GONE_SECONDS // 4
    for option, value in {
        "TCP_KEEPIDLE": asked_every,
        "TCP_KEEPINTVL": asked_every,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 1000 * GONE_SECONDS,
    }.items():
        if connection.family != socket.AF_UNIX and hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _verifying(ca: str) -> ssl.SSLContext:
    """Trust only servers whose certificate a CA of this file signed, for the name that they are called by."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as bad:  # an SSLError is an OSError
        why = (
            "it holds no certificate" if isinstance(bad, ssl.SSLError) else getattr(bad, "strerror", None) or "no file"
        )
        raise SettingsError(
            f"SKENE_DATABASE_URL names an ssl_ca that cannot be read: {why}.",
            advice="Name a file of CA certificates in PEM: /etc/ssl/certs/ca-certificates.crt for TiDB Cloud.",
        ) from None


def _use_resource_group(cursor: Any, group: str) -> None:
    try:
        cursor.execute(f"SET RESOURCE GROUP {group}")
    except pymysql.MySQLError as error:
        if code_of(error) in NOT_NOW:
            raise
        raise StoreError(
            f"The resource group {group!r} cannot be used: {words_of(error)}.",
            advice="Create it (CREATE RESOURCE GROUP), and grant RESOURCE_GROUP_USER to this database user; or take "
            "resource_group out of SKENE_DATABASE_URL, where the server has none.",
        ) from error
