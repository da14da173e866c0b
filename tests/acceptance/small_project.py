"""A small project in a folder: its users in SQLite, one template, and the loops that a test writes."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

SETTINGS = """\
users:
  name: name
sender:
  from: Little Product <hello@example.com>
  postal_address: 1 Example Street, Example Town
  unsubscribe_url: https://example.com/unsubscribe/{{user.id}}
"""

MJML = """\
<mjml>
  <mj-head><mj-title>We miss you, {{ name }}</mj-title><mj-preview>Come back</mj-preview></mj-head>
  <mj-body>
    <mj-section><mj-column>
      <mj-text>Hello {{ name }}</mj-text>
      <mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ postal_address }}</mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>
"""

TEXT = """\
Hello {{ name }}

Unsubscribe: {{ unsubscribe_url }}
{{ postal_address }}
"""

RETENTION = """\
type: retention
opinion: Bring people back before they forget why they came.
steps:
  - trigger: {type: schedule, cron: "0 9 * * *", timezone: Europe/Berlin}
    condition:
      type: query
      query: SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days'
    action:
      type: email
      template: re_engagement
      personalization: {name: "{{user.name}}"}
recovery: {retries: 2, backoff: none, delay: 1s}
"""


def write_project(root: Path, loops: Mapping[str, str], settings: str = SETTINGS) -> Path:
    """Write a project's files; `loops` is file name → text."""
    for folder in ("loops", "templates"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "skene.yaml").write_text(settings, encoding="utf-8")
    (root / "templates" / "re_engagement.mjml").write_text(MJML, encoding="utf-8")
    (root / "templates" / "re_engagement.txt").write_text(TEXT, encoding="utf-8")
    for name, text in loops.items():
        (root / "loops" / name).write_text(text, encoding="utf-8")
    return root


def write_users(root: Path, dormant: int, active: int = 2, key: str = "INTEGER") -> None:
    """Make the users table where the project looks for it; the dormant ones were last seen in 2020."""
    database = root / ".skene" / "skene.db"
    database.parent.mkdir(exist_ok=True)
    people = [
        (f"user-{n}@example.com" if key == "VARCHAR(255)" else n, f"user-{n}@example.com", f"Marker{n} Surname", seen)
        for n, seen in enumerate(["2020-01-01 00:00:00"] * dormant + ["2999-01-01 00:00:00"] * active, start=1)
    ]
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            f"CREATE TABLE users (id {key} PRIMARY KEY NOT NULL, email VARCHAR(255), name VARCHAR(255), "
            "last_activity_at DATETIME)"
        )
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", people)
    connection.close()
