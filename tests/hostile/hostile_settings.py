"""skene.yaml and the environment with values that nobody foresaw."""

from collections.abc import Iterator

from hostile import Hostile, named
from small_project import SETTINGS

DIGITS = "9" * 5_000
VALUES = {
    "5,000 digits": DIGITS,
    "a number beyond all": "1e999",
    "infinite": ".inf",
    "no number": ".nan",
    "5,000 letters": "a" * 5_000,
    "NUL": '"a\\0b"',
    "a list": "[[1], [2]]",
    "a mapping": "{a: {b: 1}}",
    "10,000 deep": "[" * 10_000,
}
FIELDS = {
    "users": ("users", "table"),
    "users.key": ("users", "key"),
    "limits.collapse": ("limits", "collapse"),
    "limits.explosion": ("limits", "explosion"),
    "limits.first_wave": ("limits", "first_wave"),
    "limits.volume": ("limits", "volume"),
    "limits.unmailable": ("limits", "unmailable"),
    "limits.expires_after": ("limits", "expires_after"),
    "retention.history": ("retention", "history"),
    "levels.power": ("levels", "power"),
    "events.table": ("events", "table"),
}
SENDERS = ("from", "postal_address", "unsubscribe_url", "reply_to", "rate_share")

SECRET = "s3cr3t-of-a-key"


def _fields() -> Iterator[tuple[str, Hostile]]:
    for name, (part, field) in FIELDS.items():
        for kind, value in VALUES.items():
            head = SETTINGS if part != "users" else SETTINGS.replace("users:\n  name: name\n", "")
            line = head.count("\n") + 2
            text = f"{head}{part}:\n  {field}: {value}\n"
            yield f"skene.yaml: {name} is {kind}", Hostile({"skene.yaml": text}, f"skene.yaml:{line}", hides_all=True)
    for field in SENDERS:
        for kind, value in VALUES.items():
            rest = [line for line in SETTINGS.splitlines() if not line.startswith(f"  {field}:")]
            text = "\n".join([*rest, f"  {field}: {value}"]) + "\n"
            yield f"skene.yaml: sender.{field} is {kind}", Hostile({"skene.yaml": text}, hides_all=True, renders=True)


def _milestones() -> Iterator[tuple[str, Hostile]]:
    for kind, value in {
        "5,000 digits": f"{{title: x, event: a, count: {DIGITS}}}",
        "a date far away": "{title: x, event: a, since: 9999999-01-01}",
        "a date that is none": "{title: x, event: a, since: 2026-02-31}",
        "a long streak": "{title: x, streak: 999999999999999999}",
        "an age of ages": "{title: x, anniversary: 999999999w}",
        "a name of 5,000 letters": f"{{title: {'a' * 5_000}, event: a}}",
    }.items():
        text = f"{SETTINGS}milestones:\n  first: {value}\n"
        yield f"skene.yaml: milestone: {kind}", Hostile({"skene.yaml": text}, "skene.yaml:8", hides_all=True)
    addresses = "".join(f"    u{n}: a{n}@example.com\n" for n in range(6_000))
    yield (
        "skene.yaml: 6,000 database users",
        Hostile({"skene.yaml": f"{SETTINGS}tidb_usage:\n  db_users:\n{addresses}"}, hides_all=True),
    )


def _topics() -> Iterator[tuple[str, Hostile]]:
    for kind, value in VALUES.items():
        for field in ("title", "default", "sender", "asked"):
            if (field, kind) == ("asked", "5,000 letters"):
                continue  # It may be a column: the database says that it is none.
            rest = "" if field == "title" else "    title: x\n"
            rest += "    default: off\n" if field == "asked" else ""
            text = f"{SETTINGS}topics:\n  tips:\n{rest}    {field}: {value}\n"
            line = text.count("\n")
            yield (
                f"skene.yaml: topics.{field} is {kind}",
                Hostile({"skene.yaml": text}, f"skene.yaml:{line}", hides_all=True),
            )
        public = "\n".join(line for line in SETTINGS.splitlines() if "unsubscribe_url" not in line)
        text = f"{public}\n  public_url: {value}\n"
        line = text.count("\n")
        yield (
            f"skene.yaml: sender.public_url is {kind}",
            Hostile({"skene.yaml": text}, f"skene.yaml:{line}", hides_all=True),
        )


def _variables() -> Iterator[tuple[str, Hostile]]:
    values = {
        "a line break": f"{SECRET}\n",
        "a blank": f"{SECRET} x",
        "blanks": "   ",
        "letters outside ASCII": f"{SECRET}\u00e9\u202e",
        "not UTF-8": f"{SECRET}\udcff",
        "5,000 letters and a blank": SECRET + "a" * 5_000 + " ",
        "what steers a terminal": f"{SECRET}\x1b[2J",
    }
    for kind, value in values.items():
        for name in ("RESEND_API_KEY", "SKENE_WRITE_KEY"):
            yield (
                f"{name}: {kind}",
                Hostile(environ={name: value}, says=name, hides_all=True, secrets=(SECRET, SECRET[:6])),
            )
        for name in ("SKENE_ENV", "SKENE_REDIRECT_TO"):
            yield f"{name}: {kind}", Hostile(environ={name: value}, says=name, hides_all=True)
        yield f"RESEND_API_URL: {kind}", _no_api(value)
        yield f"SKENE_SMTP_URL: {kind}", _no_mail_server(value)
    for name, value in {
        "prod": "prod",
        "PRODUCTION": "PRODUCTION",
        "a blank behind": "production ",
        "0": "0",
    }.items():
        yield f"SKENE_ENV: {name}", Hostile(environ={"SKENE_ENV": value}, says="SKENE_ENV is", hides_all=True)
    for name, value in {
        "no address": "me",
        "two addresses": "a@example.com,b@example.com",
        "a group": "all: a@example.com;",
        "a name": "Me <me@example.com>",
        "two signs": "a@b@example.com",
        "no domain": "me@",
        "5,000 letters": "a" * 5_000 + "@example.com",
    }.items():
        yield (
            f"SKENE_REDIRECT_TO: {name}",
            Hostile(environ={"SKENE_REDIRECT_TO": value}, says="SKENE_REDIRECT_TO", hides_all=True),
        )
    for name, value in {
        "half a host": "http://[::1",
        "no port": "https://api.example.com:port",
        "a large port": "https://api.example.com:99999",
        "in clear": "http://api.example.com",
        "a file": "file:///etc/passwd",
        "no host": "https://",
        "a password, in clear": f"http://me:{SECRET}@api.example.com",
        "a password, and no port": f"https://me:{SECRET}@api.example.com:port",
        "the key": f"re_{SECRET}",
    }.items():
        yield f"RESEND_API_URL: {name}", _no_api(value)
    for name, value in {
        "an @ that is not encoded": f"smtp://us:{SECRET}@more@mail.example.com",
        "a user alone": f"smtp://{SECRET}@mail.example.com",
        "another scheme": f"imap://us:{SECRET}@mail.example.com",
        "a file": "file:///etc/passwd",
        "an option that is none": f"smtp://us:{SECRET}@mail.example.com?verify=no",
        "half a host": "smtp://[::1",
        "the password": SECRET,
    }.items():
        yield f"SKENE_SMTP_URL: {name}", _no_mail_server(value)


def _no_mail_server(url: str) -> Hostile:
    secrets = (SECRET, SECRET[:6])
    return Hostile(environ={"SKENE_SMTP_URL": url}, says="SKENE_SMTP_URL is not", hides_all=True, secrets=secrets)


def _no_api(url: str) -> Hostile:
    secrets = (SECRET, SECRET[:6])
    environ = {"RESEND_API_URL": url}
    return Hostile(environ=environ, says="is not an address that a key may be sent to", hides_all=True, secrets=secrets)


HOSTILE_SETTINGS = named(_fields()) | named(_milestones()) | named(_topics()) | named(_variables())
