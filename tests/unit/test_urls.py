"""A database's URL is taken apart as it was meant, or refused; no refusal quotes it."""

import pytest

from skene_dagster.errors import SettingsError
from skene_dagster.store.server.urls import parse

LABEL = "a" * 63


@pytest.mark.parametrize(
    ("url", "user", "password", "host", "port", "database"),
    [
        pytest.param("mysql://me:pw@host:4000/db", "me", "pw", "host", 4000, "db", id="all of it"),
        pytest.param("mysql+pymysql://me@host/db", "me", None, "host", None, "db", id="the least"),
        pytest.param("mysql://host/db", None, None, "host", None, "db", id="nobody"),
        pytest.param("mysql:///db?unix_socket=/s", None, None, None, None, "db", id="a socket"),
        pytest.param("mysql://me:p%3Aw%2f@host/db", "me", "p:w/", "host", None, "db", id="an encoded password"),
        pytest.param("mysql://m%C3%A9:pw@host/db", "mé", "pw", "host", None, "db", id="an encoded user"),
        pytest.param("mysql://me:p:w/x?y@host:1/db", "me", "p:w/x?y", "host", 1, "db", id="signs in a password"),
        pytest.param("mysql://me@host:65535/db", "me", None, "host", 65535, "db", id="the last port"),
        pytest.param("mysql://me@[::1]:3306/db", "me", None, "::1", 3306, "db", id="IPv6"),
        pytest.param(f"mysql://me@{LABEL}.a/db", "me", None, f"{LABEL}.a", None, "db", id="a long label"),
        pytest.param(f"mysql://me@host/{'d' * 1000}", "me", None, "host", None, "d" * 1000, id="a long name"),
        pytest.param("mysql://host/a%zz", None, None, "host", None, "a%zz", id="a % in a database's name"),
        pytest.param("sqlite://", None, None, None, None, None, id="no file, which is told when it is opened"),
        pytest.param("sqlite:///x.db", None, None, None, None, "x.db", id="a file"),
        pytest.param("sqlite+pysqlite:////a/x.db", None, None, None, None, "/a/x.db", id="a path"),
    ],
)
def test_a_url_that_can_be_read_in_one_way_only_is_taken_apart(
    url: str, user: str | None, password: str | None, host: str | None, port: int | None, database: str | None
) -> None:
    parsed = parse(url)

    assert (parsed.username, parsed.password, parsed.host) == (user, password, host)
    assert (parsed.port, parsed.database) == (port, database)


@pytest.mark.parametrize(
    "name",
    [
        *("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "resource_group", "unix_socket"),
    ],
)
def test_a_parameter_that_means_something_is_taken(name: str) -> None:
    assert parse(f"mysql://me@host/db?{name}=x").query == {name: "x"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("skene.db", "is not a database URL", id="a file's name"),
        pytest.param("mysql:", "is not a database URL", id="half a URL"),
        pytest.param("postgresql://me@host/db", "is a PostgreSQL URL", id="PostgreSQL"),
        pytest.param("oracle://me@host/db", "begins with 'oracle'", id="another database"),
        pytest.param("mysql+aiomysql://me@host/db", "begins with 'mysql+aiomysql'", id="another driver"),
        pytest.param("mysql://me:secret@host", "names no database", id="no database"),
        pytest.param("mysql://me:secret@host/", "names no database", id="an empty database"),
        pytest.param(f"mysql://me@host/{'d' * 1001}", "a database name that is too long", id="a name too long"),
        pytest.param("mysql://me:sec@ret@host/db", "is ambiguous", id="an @ in a password"),
        pytest.param("mysql://me/secret@host/db", "is ambiguous", id="a / in a user's name"),
        pytest.param("mysql://me?secret@host/db", "is ambiguous", id="a ? in a user's name"),
        pytest.param("mysql://me#secret@host/db", "is ambiguous", id="a # in a user's name"),
        pytest.param("mysql://[secret@host/db", "is ambiguous", id="a [ in a user's name"),
        pytest.param("mysql://]secret@host/db", "is ambiguous", id="a ] in a user's name"),
        pytest.param(
            "mysql://me:secret%zz@host/db", "does not begin an encoded character", id="no encoding in a password"
        ),
        pytest.param(
            "mysql://secret%zz:x@host/db", "does not begin an encoded character", id="no encoding in a user's name"
        ),
        pytest.param("mysql://me:secret%2@host/db", "does not begin an encoded character", id="half an encoding"),
        pytest.param(
            "mysql://me:secret%ff@host/db", "does not begin an encoded character", id="an encoding that is not UTF-8"
        ),
        pytest.param("mysql://me:secret%00@host/db", "does not begin an encoded character", id="an encoded NUL"),
        pytest.param("mysql://me:secret@ho st/db", "names no host", id="a blank in a host"),
        pytest.param("mysql://me:secret@a..b/db", "names no host", id="a label without letters"),
        pytest.param(f"mysql://me:secret@{LABEL}a/db", "names no host", id="a label too long"),
        pytest.param("mysql://me:secret@[::1/db", "names no host", id="half an IPv6"),
        pytest.param("mysql://me:secret@[::1]x/db", "names no host", id="letters behind an IPv6"),
        pytest.param("mysql://secret:pw/db", "has a port that is not a number", id="a password in place of a port"),
        pytest.param("mysql://me:secret@host:/db", "has a port that is not a number", id="an empty port"),
        pytest.param("mysql://me:secret@host:0/db", "has a port that is not a number", id="port zero"),
        pytest.param("mysql://me:secret@host:65536/db", "has a port that is not a number", id="a port too many"),
        pytest.param("mysql://me:secret@host:004000/db", "has a port that is not a number", id="six digits"),
        pytest.param("mysql://me:secret@host/db?foo=1", "has a parameter 'foo', which is unknown", id="a parameter"),
        pytest.param("mysql://me:secret@host/db?ssl_ca=a&ssl_ca=b", "'ssl_ca' twice", id="a parameter twice"),
        pytest.param("sqlite:///x.db?ssl_ca=a", "has a parameter 'ssl_ca', which is unknown", id="of a file"),
    ],
)
def test_a_url_that_is_none_or_could_be_read_in_two_ways_is_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(url)

    assert refused.value.message.startswith("SKENE_DATABASE_URL ")
    assert words in refused.value.message
    assert refused.value.advice
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        pytest.param("mysql://me@host/db?foo=1", "Known are: resource_group, ssl_ca, ssl_cert,", id="on a server"),
        pytest.param("sqlite:///x.db?foo=1", "Remove what follows the ?.", id="of a file"),
        pytest.param("mysql://ho st/db", "Write mysql+pymysql://user:password@host:4000/database", id="no host"),
        pytest.param("mysql://me@ho st/db", "In a user name or password, write % as %25", id="behind a user"),
    ],
)
def test_a_refused_url_is_told_its_cure(url: str, advice: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(url)

    assert refused.value.advice.startswith(advice)
