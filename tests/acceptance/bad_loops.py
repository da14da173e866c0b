"""Projects with one thing wrong in a loop file, and what must be said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from small_project import RETENTION, SETTINGS

YAML = """\
name: "win_back"
type: "retention"
opinion: "Bring people back."
steps:
  - trigger:
      type: "schedule"
      cron: "0 9 * * *"
      timezone: "Europe/Berlin"
    condition:
      type: "query"
      query: "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'"
      timeout: "10m"
    action:
      type: "email"
      provider: "resend"
      template: "re_engagement"
      personalization:
        name: "{{user.name}}"
      repeat: "30d"
      set:
        flagged: 1
holdout: "10%"
recovery:
  retries: 2
  backoff: "exponential"
"""

TYPESCRIPT = """\
import { defineLoop } from '@skene/sdk';

export default defineLoop({
  name: "win_back",
  type: "retention",
  opinion: "Bring people back.",
  steps: [
    {
      trigger: {
        type: "schedule",
        cron: "0 9 * * *",
        timezone: "Europe/Berlin",
      },
      condition: {
        type: "query",
        query: "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'",
        timeout: "10m",
      },
      action: {
        type: "email",
        provider: "resend",
        template: "re_engagement",
        personalization: {
          name: "{{user.name}}",
        },
        repeat: "30d",
        set: {
          flagged: 1,
        },
      },
    },
  ],
  holdout: "10%",
  recovery: {
    retries: 2,
    backoff: "exponential",
  },
});
"""

PYTHON = """\
from skene_dagster import define_loop

loop = define_loop(
    name="win_back",
    type="retention",
    opinion="Bring people back.",
    steps=[
        {
            'trigger': {
                'type': "schedule",
                'cron': "0 9 * * *",
                'timezone': "Europe/Berlin",
            },
            'condition': {
                'type': "query",
                'query': "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'",
                'timeout': "10m",
            },
            'action': {
                'type': "email",
                'provider': "resend",
                'template': "re_engagement",
                'personalization': {
                    'name': "{{user.name}}",
                },
                'repeat': "30d",
                'set': {
                    'flagged': 1,
                },
            },
        }
    ],
    holdout="10%",
    recovery={
        'retries': 2,
        'backoff': "exponential",
    },
)
"""

SPELLINGS = {"loop.yaml": YAML, "loop.ts": TYPESCRIPT, "loop.py": PYTHON}
QUERY = "SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'"

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Wrong:
    """Something wrong in a project: what is written (file → content), and what must be said of it."""

    files: Files
    says: str
    at: str = ""
    """Where: `loops/loop.yaml:7`, or a file."""
    command: str = "validate"
    exit_code: int = 1
    environ: Mapping[str, str] = field(default_factory=dict)
    users: bool = False
    """Whether there is a database, with a users table."""


def broken(file: str, old: str, new: str, says: str, *, command: str = "validate", users: bool = False) -> Wrong:
    """The loop in one spelling with a part replaced; the error must be on the line of that part."""
    text = SPELLINGS[file]
    assert text.count(old) == 1, (file, old)
    return file_of(file, text.replace(old, new), says, _line(text, old), command=command, users=users)


def file_of(
    file: str, content: str | bytes, says: str, line: int | None, *, command: str = "validate", users: bool = False
) -> Wrong:
    """One loop file; the error must be on this line, or of the file as a whole."""
    at = f"loops/{file}" + (f":{line}" if line is not None else "")
    return Wrong({f"loops/{file}": content}, says, at, command, users=users)


def _not_utf8(file: str) -> Wrong:
    text = SPELLINGS[file]
    content = text.encode().replace(b"back.", b"zur\xfcck.")
    return file_of(file, content, "The file is not UTF-8", _line(text, "back."))


def _line(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


IN_EACH_SPELLING = {
    "unknown field": ("timezone", "time_zone", "'time_zone' is not a field"),
    "unknown field of the loop": ("opinion", "opinon", "Did you mean 'opinion'?"),
    "unknown field of the recovery": ("backoff", "back_off", "'back_off' is not a field"),
    "unknown type of loop": ('"retention"', '"retentionn"', "Did you mean 'retention'?"),
    "type is a number": ('"retention"', "7", "7 is not a type"),
    "opinion is a number": ('"Bring people back."', "12", "opinion takes a string, not 12"),
    "name with a blank": ('"win_back"', '"win back"', "'win back' cannot be the name of a loop"),
    "name in capitals": ('"win_back"', '"WinBack"', "'WinBack' cannot be the name of a loop"),
    "name is a reserved word": ('"win_back"', '"class"', "'class' cannot be the name of a loop"),
    "unknown trigger": ('"schedule"', '"cronjob"', "'cronjob' is not a type of trigger"),
    "cron with an hour 25": ('"0 9 * * *"', '"0 25 * * *"', "'0 25 * * *' is not a cron expression"),
    "cron of four fields": ('"0 9 * * *"', '"0 9 * *"', "'0 9 * *' is not a cron expression"),
    "cron in words": ('"0 9 * * *"', '"every morning"', "'every morning' is not a cron expression"),
    "cron is empty": ('"0 9 * * *"', '""', "'cron' is empty"),
    "unknown time zone": ('"Europe/Berlin"', '"Europe/Berlim"', "'Europe/Berlim' is not a time zone"),
    "time zone is a path": ('"Europe/Berlin"', '"../../etc/passwd"', "'../../etc/passwd' is not a time zone"),
    "unknown condition": ('"query"', '"sql"', "'sql' is not a type of condition"),
    "timeout in words": ('"10m"', '"ten minutes"', "'ten minutes' is not a duration"),
    "timeout of nothing": ('"10m"', '"0m"', "'0m' is out of range"),
    "timeout of centuries": ('"10m"', '"99999d"', "'99999d' is out of range"),
    "unknown action": ('"email"', '"sms"', "'sms' is not a type of action"),
    "unknown provider": ('"resend"', '"sendgrid"', "'sendgrid' is not a provider"),
    "unknown template": ('"re_engagement"', '"re_engagment"', "There is no template 're_engagment'"),
    "template is a path": ('"re_engagement"', '"../skene"', "'../skene' cannot be the name of a template"),
    "name that an email cannot show": (
        '"{{user.name}}"',
        '"{{name}}"',
        "'name' is not something that an email can show",
    ),
    "column that the query lacks": ('"{{user.name}}"', '"{{row.plan}}"', "The condition has no column 'plan'"),
    "expression without an end": ('"{{user.name}}"', '"{{user.name"', "The expression cannot be read"),
    "or as JavaScript has it": ('"{{user.name}}"', "\"{{user.name || 'x'}}\"", "Write `or` instead: x or 'there'"),
    "statement in an expression": ('"{{user.name}}"', '"{% if 1 %}x{% endif %}"', "Only {{ … }} may be used here"),
    "repeat in words": ('"30d"', '"sometimes"', "'sometimes' is not a duration"),
    "set of the users key": ("flagged", "id", "'id' is the users' key, which is never written"),
    "holdout above all": ('"10%"', '"110%"', "'110%' is not a share below the whole"),
    "unknown backoff": ('"exponential"', '"exponental"', "Did you mean 'exponential'?"),
    "SQL that writes": (QUERY, "DELETE FROM users", "DELETE writes"),
    "SQL that changes a table": (QUERY, "DROP TABLE users", "DROP changes tables"),
    "SQL that locks": (QUERY, "SELECT id FROM users FOR UPDATE", "FOR UPDATE cannot be used"),
    "SQL into a file": (QUERY, "SELECT id FROM users INTO OUTFILE '/tmp/x'", "INTO cannot be used"),
    "two statements": (QUERY, "SELECT id FROM users; DROP TABLE users", "There is a second statement"),
    "SQL that does not parse": (QUERY, "SELECT id FROM users WHERE AND", "cannot be read"),
    "SQL without an end": (QUERY, "SELECT id FROM users WHERE (id > 1", "A parenthesis is opened and not closed"),
    "SQL that is empty": (QUERY, "", "'query' is empty"),
    "SQL without the user's key": (
        QUERY,
        "SELECT email FROM users",
        "The query returns no column that names the user; it returns: email",
    ),
    "LIMIT without ORDER BY": (QUERY, "SELECT id FROM users LIMIT 10", "LIMIT without ORDER BY"),
    "a function that waits": (QUERY, "SELECT id FROM users WHERE SLEEP(5) = 0", "SLEEP() cannot be used"),
    "another clock": (
        QUERY,
        "SELECT id FROM users WHERE created_at < SYSDATE()",
        "SYSDATE() cannot be used. Write NOW()",
    ),
    "the row of a trigger that has none": (
        QUERY,
        "SELECT id FROM users WHERE id = $1",
        "$1 is the row that triggered the step",
    ),
}

IN_ONE_SPELLING = {
    "retries are a text": broken("loop.yaml", ": 2", ": many", "retries takes a whole number, not 'many'"),
    "retries are not whole": broken("loop.yaml", ": 2", ": 2.5", "retries takes a whole number, not 2.5"),
    "retries below nothing": broken("loop.yaml", ": 2", ": -1", "retries must be at least 0"),
    "too many retries": broken("loop.yaml", ": 2", ": 99", "retries must be at most 20"),
    "a list for a mapping": broken(
        "loop.yaml",
        'recovery:\n  retries: 2\n  backoff: "exponential"',
        "recovery: [1]",
        "recovery takes a mapping, not a list",
    ),
    "a set of no column": broken("loop.yaml", "flagged", '"a b"', "'a b' is not the name of a column"),
    "no template": file_of("loop.yaml", YAML.replace('template: "re_engagement"', ""), "'template' is missing", 13),
    "no steps": file_of("loop.yaml", "type: retention\nsteps: []\n", "'steps' is empty", 2),
    "steps are missing": file_of("loop.yaml", "type: retention\n", "'steps' is missing", None),
    "an empty file": file_of("loop.yaml", "", "'type' is missing", None),
    "a tab": file_of("loop.yaml", "type: x\nsteps:\n\t- x: 1\n", "a tab is used for indentation", 3),
    "a field twice": file_of("loop.yaml", YAML + "type: retention\n", "'type' appears twice", 26),
    "a second document": file_of("loop.yaml", YAML + "---\ntype: x\n", "A second document begins here", 27),
    "a tag": broken("loop.yaml", '"Bring people back."', "!!python/object/apply:os.system [ls]", "The tag"),
    "merging": file_of("loop.yaml", "<<: {type: retention}\n", "'<<' (merging) is not YAML 1.2", 1),
    "a file that is a list": file_of("loop.yaml", "- retention\n", "The file is not a mapping", 1),
    "a value within itself": file_of("loop.yaml", "type: &a [*a]\n", "This value contains itself", 1),
    "YAML that is not UTF-8": _not_utf8("loop.yaml"),
    "TypeScript that is not UTF-8": _not_utf8("loop.ts"),
    "Python that is not UTF-8": _not_utf8("loop.py"),
    "a variable": broken("loop.ts", '"0 9 * * *"', "process.env.CRON", "`process.env.CRON` is computed"),
    "a text with a variable": broken("loop.ts", '"Bring people back."', "`Bring ${who} back.`", "is computed"),
    "a call": broken("loop.ts", '"10m"', "minutes(10)", "`minutes(10)` is computed"),
    "a quote inside quotes": broken(
        "loop.ts", '"Bring people back."', "'We've gone'", "There is a quote inside quotes"
    ),
    "nothing exported": file_of("loop.ts", TYPESCRIPT.replace("export default ", ""), "Keep one `export default`", 3),
    "a name that is not there": broken("loop.py", '"0 9 * * *"', "CRON", "NameError: name 'CRON' is not defined"),
    "a value that no file holds": broken("loop.py", '"10m"', "print", "which a loop cannot contain"),
    "a file that ends the process": file_of("loop.py", "raise SystemExit(0)\n", "The file raised SystemExit", 1),
    "Python that does not parse": file_of("loop.py", "x = (\n", "The Python cannot be read", 1),
    "Python without a loop": file_of("loop.py", "x = 1\n", "'loop' is not defined", None),
    "JSON": file_of("loop.json", "{}", "A loop is not read from a .json file", None),
    "an empty folder": Wrong({}, "There are no loops in loops/"),
    "no folder": Wrong({"skene.yaml": SETTINGS + "loops: growth\n"}, "There is no folder growth/"),
    "two loops of one name": Wrong(
        {"loops/a.yaml": YAML, "loops/b.ts": TYPESCRIPT},
        "There is another loop named 'win_back', in loops/b.ts",
        "loops/a.yaml:1",
    ),
    "two loops of one type without names": Wrong(
        {"loops/a.yaml": RETENTION, "loops/b.yaml": RETENTION},
        "There is another loop named 'retention', in loops/a.yaml",
        "loops/b.yaml:1",
    ),
    "a wrong loop beside a folder of its ending": Wrong(
        {"loops/loop.yaml/x": "", "loops/a.yaml": "type: 1\n"}, "1 is not a type", "loops/a.yaml:1"
    ),
}

LOOPS = {
    **{
        f"{file}: {name}": broken(file, old, new, says)
        for name, (old, new, says) in IN_EACH_SPELLING.items()
        for file in SPELLINGS
    },
    **IN_ONE_SPELLING,
}
