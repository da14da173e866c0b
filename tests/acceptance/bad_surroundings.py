"""Projects with one thing wrong around the loops: settings, environment, templates, database, command line."""

from collections.abc import Mapping
from types import MappingProxyType

from bad_loops import QUERY, YAML, Files, Wrong, broken
from small_project import MJML, RETENTION, SETTINGS, TEXT

GOOD: Files = {"loops/loop.yaml": YAML}
FEATURE = "{title: Export, events: [exported]}"
ASK = "validate --database"
SERVER = {"SKENE_DATABASE_URL": "mysql+pymysql://root@127.0.0.1:1/product"}


def settings(text: str | bytes, says: str, line: int) -> Wrong:
    """A wrong skene.yaml."""
    return Wrong({**GOOD, "skene.yaml": text}, says, f"skene.yaml:{line}")


def mapped(setting: str, says: str, *, command: str = ASK, loop: str = YAML) -> Wrong:
    """A skene.yaml that maps users otherwise than the database has them."""
    text = SETTINGS.replace("users:\n", f"users:\n  {setting}\n")
    return Wrong({"skene.yaml": text, "loops/loop.yaml": loop}, says, "skene.yaml:2", command, users=True)


def template(says: str, at: str, *, mjml: str | bytes = MJML, text: str | bytes = TEXT) -> Wrong:
    """A wrong template."""
    files = {"templates/re_engagement.mjml": mjml, "templates/re_engagement.txt": text}
    return Wrong({**GOOD, **files}, says, f"templates/re_engagement.{at}")


def html(body: str) -> str:
    """The good MJML with another text in line 5."""
    return MJML.replace("Hello {{ name }}", body)


def asked(old: str, new: str, says: str, *, command: str = ASK) -> Wrong:
    """A loop of which only the database knows that it is wrong."""
    return broken("loop.yaml", old, new, says, command=command, users=True)


def called(
    command: str, says: str, exit_code: int, environ: Mapping[str, str] = MappingProxyType({}), *, users: bool = False
) -> Wrong:
    """A good project, and a command that cannot do what it is asked."""
    return Wrong(GOOD, says, "", command, exit_code, environ, users)


IN_THE_SETTINGS = {
    "an unknown setting": settings("userz: {table: people}\n", "Did you mean 'users'?", 1),
    "a table with a blank": settings("users:\n  table: my users\n", "'my users' is not a name of a table or column", 2),
    "a number for a column": settings("users:\n  key: 7\n", "key takes a string, not 7", 2),
    "a limit out of range": settings("limits:\n  collapse: 2\n", "collapse must be at most 1", 2),
    "a feature's wrong name": settings(
        f"features:\n  Bulk-Export: {FEATURE}\n", "'Bulk-Export' is not a short name", 2
    ),
    "a feature's long name": settings(f"features:\n  {'a' * 49}: {FEATURE}\n", "is longer than 48 characters", 2),
    "a feature's unknown field": settings(
        "features:\n  export:\n    title: Export\n    event: [exported]\n", "Did you mean 'events'?", 4
    ),
    "an example's unknown field": settings(
        "features:\n  export:\n    title: Export\n    events: [exported]\n    examples:\n      - titel: CSV\n",
        "Did you mean 'title'?",
        6,
    ),
    "a milestone's wrong name": settings(
        "milestones:\n  1st: {title: First, event: exported}\n", "'1st' is not a short name", 2
    ),
    "a feature's link that runs a script": settings(
        "features:\n  export:\n    title: Export\n    events: [exported]\n    link: 'javascript:alert(1)'\n",
        "'javascript:alert(1)' is not a link",
        5,
    ),
    "a group for a sender": settings("sender:\n  from: 'Us: a@example.com, b@example.com;'\n", "is not one address", 2),
    "a sender that hides a quote": settings(
        "sender:\n  from: 'A \"B\" C <a@example.com>'\n", 'Write "A \\"B\\" C" <a@example.com>', 2
    ),
    "a line break in the unsubscribe address": settings(
        'sender:\n  unsubscribe_url: "https://example.com/{{user.id}}\\r\\nBcc: x"\n',
        "is not an unsubscribe address",
        2,
    ),
    "tidb_usage of nobody": settings("tidb_usage: {slow_log: true}\n", "'tidb_usage' names nobody", 1),
    "tidb_usage of no address": settings(
        "tidb_usage:\n  db_users:\n    ada: Ada\n", "'Ada' is not an email address", 3
    ),
    "tidb_usage beside other events": settings(
        "events: {table: actions}\ntidb_usage: {db_users: {ada: a@example.com}}\n", "names a different table", 2
    ),
    "too little retention": settings("retention:\n  history: 7d\n", "7d is too short. Keep it for 30d at least", 2),
    "retention of the product's events": settings(
        "events: {table: actions}\nretention:\n  events: 90d\n", "names a different table, which is the product's", 3
    ),
    "less retention than emails wait": settings(
        "limits: {expires_after: 20d}\nretention:\n  payloads: 30d\n", "may be needed for 40d", 3
    ),
    "no feature of TiDB": settings(
        "tidb_usage: {db_users: {ada: a@example.com}}\nfeatures:\n  old:\n    title: x\n    events: ['tidb:tll']\n",
        "Did you mean 'ttl'?",
        5,
    ),
    "settings that are not UTF-8": settings(b"users:\n  table: \xff\n", "The file is not UTF-8", 2),
    "settings that are no YAML": settings("users: {table: x\n", "what begins here is never closed", 1),
    "no postal address": Wrong(
        {**GOOD, "skene.yaml": "sender: {from: hello@example.com}\n"},
        "A marketing email needs sender.postal_address and sender.public_url, which skene.yaml does not have",
        "loops/loop.yaml:13",
    ),
    "an unknown environment": called("validate", "SKENE_ENV is 'prod'", 1, {"SKENE_ENV": "prod"}),
    "http in production": Wrong(
        {**GOOD, "skene.yaml": SETTINGS.replace("https:", "http:")},
        "In production, sender.unsubscribe_url must be https",
        "loops/loop.yaml:13",
        environ={"SKENE_ENV": "production"},
    ),
}

IN_THE_TEMPLATE = {
    "HTML with what nothing provides": template("{{ namee }} is not provided", "mjml:5", mjml=html("{{ namee }}")),
    "text with what nothing provides": template(
        "{{ namee }} is not provided", "txt:1", text=TEXT.replace("name", "namee")
    ),
    "an unknown tag": template("<mj-txt> is not a tag of MJML", "mjml:5", mjml=html("<mj-txt>Hello</mj-txt>")),
    "a text right in the body": template(
        "<mj-text> cannot be used in <mj-body>. It belongs in <mj-column>",
        "mjml:4",
        mjml=MJML.replace("<mj-body>\n", "<mj-body>\n    <mj-text>x</mj-text>\n"),
    ),
    "a tag that is not rendered": template(
        "<mj-selector> is MJML, but not rendered here", "mjml:5", mjml=html("<mj-selector>x</mj-selector>")
    ),
    "CSS that begins a comment": template(
        "In a style sheet put a space between", "mjml:5", mjml=html("<style>@media all {#a b{c:d}}</style>")
    ),
    "a link that runs a script": template(
        "is not a link that an email may have", "mjml:5", mjml=html("<a href='JavaScript:alert(1)'>x</a>")
    ),
    "a button in VML": template(
        "For a button write <mj-button>", "mjml:5", mjml=html("<!--[if mso]><v:rect href='{{ name }}'/><![endif]-->")
    ),
    "a tag without an end": template("<mj-body> is never closed", "mjml:3", mjml=MJML.replace("</mj-body>", "")),
    "Jinja without an end": template("Unexpected end of template", "mjml:", mjml=html("{% if name %}")),
    "markup from a user": template("|safe is not allowed", "mjml:5", mjml=html("{{ name|safe }}")),
    "no subject": template("The email has no subject", "mjml", mjml=MJML.replace("We miss you, {{ name }}", "")),
    "a template that is not UTF-8": template("The file is not UTF-8", "mjml:10", mjml=html("x").encode() + b"\xff"),
    "no way to unsubscribe": template("must print {{ unsubscribe_url }}", "txt", text="Hello {{ name }}\n"),
}

IN_THE_DATABASE = {
    "no database": called(ASK, "There is no database", 3),
    "no server": called(ASK, "The database cannot be reached", 3, SERVER),
    "PostgreSQL": called(
        ASK, "PostgreSQL URL, which is not supported", 1, {"SKENE_DATABASE_URL": "postgresql://localhost/x"}
    ),
    "no URL": called(ASK, "SKENE_DATABASE_URL is not a database URL", 1, {"SKENE_DATABASE_URL": "skene.db"}),
    "a diary": Wrong({**GOOD, ".skene/skene.db": "Dear diary " * 99}, "is not a database", command=ASK, exit_code=3),
    "no users table": mapped(
        "table: people", "Table 'people' is not in the database", loop=YAML.replace("users", "people")
    ),
    "a key that is wrong": mapped(
        "key: user_id", "Table 'users' has no column 'user_id'", loop=YAML.replace("SELECT id", "SELECT user_id")
    ),
    "a key that is no key": mapped(
        "key: name", "Column 'name' is not the primary key", loop=YAML.replace("SELECT id", "SELECT name")
    ),
    "no column with the address": mapped("email: emial", "Did you mean 'email'?"),
    "mailable names no column": mapped("mailable: nme IS NOT NULL", "no such column: nme. Did you mean 'name'?"),
    "mailable does not parse": mapped("mailable: name IS (", "A parenthesis is opened and not closed."),
    "SQL names a missing column": asked("last_activity_at", "last_activty_at", "Did you mean 'last_activity_at'?"),
    "SQL names a missing table": asked(
        QUERY, "SELECT user_id FROM userz", "no such table: userz. Did you mean 'users'?"
    ),
    "an email with a missing column": asked("{{user.name}}", "{{user.nickname}}", "has no column 'nickname'"),
    "a set of a missing column": asked("flagged: 1", "flaggd: 1", "no column 'flaggd'. Did you mean 'flagged'?"),
    "SELECT * without the email's column": Wrong(
        {"loops/loop.yaml": YAML.replace(QUERY, "SELECT * FROM users").replace("user.name", "row.plan")},
        "The condition has no column 'plan'",
        "loops/loop.yaml:18",
        ASK,
        users=True,
    ),
    "SELECT * of a join": asked(QUERY, "SELECT * FROM users AS u JOIN users AS v ON u.id = v.id", "which is the user?"),
    "SQL in lines names a missing column": Wrong(
        {
            "loops/loop.yaml": YAML.replace(
                f'"{QUERY}"', "|\n        SELECT id\n        FROM users\n        WHERE agee > 1"
            )
        },
        "no such column: agee",
        "loops/loop.yaml:14",
        ASK,
        users=True,
    ),
}

ON_THE_COMMAND_LINE = {
    "preview of SQL that is wrong": asked("last_activity_at", "last_activty_at", "Did you", command="preview win_back"),
    "preview of SQL that returns a user twice": asked(
        QUERY,
        "SELECT a.id FROM users AS a JOIN users AS b ON 1 = 1",
        "returns a user more than once, for example 1.",
        command="preview win_back",
    ),
    "preview without a database": called("preview win_back", "There is no database", 3),
    "preview of a broken loop": broken(
        "loop.yaml", '"exponential"', '"never"', "'never' is not a backoff", command="preview win_back"
    ),
    "preview of no loop": called("preview win_bakc", "Did you mean 'win_back'?", 2),
    "preview of no step": called("preview win_back --step nudge", "win_back has no step 'nudge'", 2),
    "preview of no user": called("preview win_back --user 99", "No user has users.id = 99", 2, users=True),
    "preview of no key": called("preview win_back --user Ada", "No user has users.id = Ada", 2, users=True),
    "preview at no moment": called("preview win_back --as-of tomorrow", "'tomorrow' is not a time", 2),
    "preview without a key in production": called(
        "preview win_back", "RESEND_API_KEY is not set", 3, {"SKENE_ENV": "production"}
    ),
    "migration of no database": called("migrate", "There is no database", 3),
    "migration checked and printed": called("migrate --check --sql", "Take --check or --sql, not both.", 2),
    "migration with a wrong key": mapped("key: user_id", "Table 'users' has no column 'user_id'", command="migrate"),
    "demo on another's database": called("demo", "is a database that the demo did not create", 3, users=True),
    "demo on a server": called("demo", "Unset SKENE_DATABASE_URL", 2, SERVER),
    "demo where emails would leave": called(
        "demo", "here emails would be sent", 2, {"SKENE_REDIRECT_TO": "me@example.com", "RESEND_API_KEY": "re_x"}
    ),
    "demo without its loops": called("demo", "The project lacks loops that the demo runs: activation, feature_disc", 1),
    "demo of a broken loop": Wrong(
        {"loops/a.yaml": RETENTION + "x: 1\n"}, "'x' is not a field", "loops/a.yaml:13", "demo"
    ),
    "validation of no loop": called("validate README.md", "is not a loop file", 2),
    "no such command": called("vallidate", "No such command 'vallidate'", 2),
    "no such option": called("validate --databse", "No such option", 2),
}

SURROUNDINGS = {**IN_THE_SETTINGS, **IN_THE_TEMPLATE, **IN_THE_DATABASE, **ON_THE_COMMAND_LINE}
