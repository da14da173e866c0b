"""URLs of databases that are none, or is ambiguous; no part of a password may ever be shown."""

from collections.abc import Iterator

from hostile import Hostile, named

ASK = "validate --database"
SECRET = "pa@ss/w#rd"
LONG = "Sup3rS3cret"
URLS_OF_NOTHING = {
    "no number for a port": "mysql://root@127.0.0.1:abc/product",
    "a port beyond all": "mysql://root@127.0.0.1:99999/product",
    "a port of 5,000 digits": "mysql://root@127.0.0.1:" + "9" * 5_000 + "/product",
    "half a host": "mysql://root@[::1/product",
    "half a host and a port": "mysql://root@[::1:3306/product",
    "no certificate": "mysql://root@127.0.0.1:1/product?ssl_ca=/nope",
    "a folder for a certificate": "mysql://root@127.0.0.1:1/product?ssl_ca=/etc",
    "a certificate that is none": "mysql://root@127.0.0.1:1/product?ssl_ca=/etc/hostname",
    "an unknown parameter": "mysql://root@127.0.0.1:1/product?foo=x",
    "a parameter twice": "mysql://root@127.0.0.1:1/product?ssl_ca=/a&ssl_ca=/b",
    "a file to read": "mysql://root@127.0.0.1:1/product?read_default_file=/etc/my.cnf",
    "a statement at first": "mysql://root@127.0.0.1:1/product?init_command=DROP+TABLE+users",
    "no URL": "skene.db",
    "half a URL": "mysql:",
    "a scheme alone": "mysql://",
    "no scheme": "://x",
    "blanks": "   ",
    "a blank before": " mysql://root@127.0.0.1:1/product",
    "a line break behind": "mysql://root@127.0.0.1:1/product\n",
    "what steers a terminal": "mysql://root@127.0.0.1:1/\x1b[2J",
    "an unknown database": "oracle://root@127.0.0.1:1/product",
    "an unknown driver": "mysql+nothing://root@127.0.0.1:1/product",
    "a driver that is another": "mysql+aiomysql://root@127.0.0.1:1/product",
    "PostgreSQL": "postgresql://root@127.0.0.1:1/product",
    "no database": "mysql://root@127.0.0.1:1",
    "an empty database": "mysql://root@127.0.0.1:1/",
    "a host of 5,000 letters": "mysql://root@" + "a" * 5_000 + ":1/product",
    "a host of dots": "mysql://root@a..b:1/product",
    "a host with a blank": "mysql://root@a b:1/product",
    "half an encoding": "mysql://root:a%zz@127.0.0.1:1/product",
    "an encoding that is not UTF-8": "mysql://root:a%ff@127.0.0.1:1/product",
    "an encoded NUL": "mysql://root:a%00@127.0.0.1:1/product",
    "a resource group that is none": "mysql://root@127.0.0.1:1/product?resource_group=a;b",
    "SQLite in memory": "sqlite://",
    "SQLite in memory, said": "sqlite:///:memory:",
    "SQLite with a parameter": "sqlite:///x.db?foo=x",
    "SQLite by a URI": "sqlite:///file:x.db?uri=true",
    "SQLite of 5,000 letters": "sqlite:///" + "a" * 5_000,
    "SQLite in a device": "sqlite:////dev/zero",
    "SQLite in a folder": "sqlite:////etc",
    "SQLite in a file's folder": "sqlite:////etc/hostname/x.db",
    "20,000 signs": "mysql://" + "@" * 20_000,
    "20,000 colons": "mysql://" + ":" * 20_000,
    "20,000 slashes": "mysql://" + "/" * 20_000,
    "20,000 brackets": "mysql://" + "[" * 20_000,
}


def _of_nothing() -> Iterator[tuple[str, Hostile]]:
    for name, url in URLS_OF_NOTHING.items():
        for command in (ASK, "doctor"):
            yield f"{command}: {name}", _wrong(url, command)


def _wrong(url: str, command: str, secrets: tuple[str, ...] = ()) -> Hostile:
    return Hostile(
        environ={"SKENE_DATABASE_URL": url}, says=" ", hides_all=True, command=command, exit_code=-1, secrets=secrets
    )


def _passwords() -> Iterator[tuple[str, Hostile]]:
    """A password that was not encoded, in every place of a URL; no half of it may be shown."""
    halves = (LONG, "Sup3r", "S3cret")
    for sign in "@/#?:%[]\\ &=+;":
        password = f"Sup3r{sign}S3cret"
        for place, url in {
            "": f"mysql+pymysql://app:{password}@127.0.0.1:1/product",
            " without a port": f"mysql+pymysql://app:{password}@127.0.0.1/",
            " without a host": f"mysql+pymysql://app:{password}",
            " and a certificate": f"mysql+pymysql://app:{password}@127.0.0.1:1/product?ssl_ca=/nope",
            " and a name with a sign": f"mysql+pymysql://a@pp:{password}@127.0.0.1:1/product",
            " and a name with a slash": f"mysql+pymysql://a/pp:{password}@127.0.0.1:1/product",
            " of another database": f"postgresql://app:{password}@127.0.0.1:1/product",
            " for a URL": password,
        }.items():
            yield f"doctor: a password with {sign!r}{place}", _wrong(url, "doctor", halves)
    for command in (ASK, "doctor", "status", "migrate"):
        url = f"mysql://u:{SECRET}@127.0.0.1:1/db"
        yield f"{command}: a password that is not encoded", _wrong(url, command, (SECRET, "ss/w", "w#rd", "pa@"))


URLS = named(_of_nothing()) | named(_passwords())
