"""Recipients with links in their mail, and what the database knows of what they said."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select
from web_world import PATIENCE

from skene_dagster.consent import suppressions
from skene_dagster.consent.recipient import Recipients
from skene_dagster.consent.tokens import Signer, Token
from skene_dagster.store.engine import database_time, reading
from skene_dagster.store.tables import preferences

FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
SETTINGS = """\
sender: {from: "Orbit <hello@example.com>", public_url: "https://mail.example.com"}
topics:
  beta: {title: Beta programme, text: Be asked first., default: off}
  news: {title: News}
  tips: {title: Tips}
"""
ALL = ("marketing", "topic:beta", "topic:gone", "topic:news", "topic:tips")


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def state(self) -> str:
        """What the page says holds now."""
        found = re.search(r'<p class="state">(.*?)</p>', self.text, re.DOTALL)
        return " ".join(re.sub("<[^>]*>", "", found[1]).split()) if found else ""


class Browser:
    """Asks a running process for pages, each over a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def get(self, token: str, **headers: str) -> Reply:
        return self.ask("GET", f"/u/{token}", headers=headers)

    def post(self, token: str, body: bytes = ONE_CLICK, content_type: str = FORM) -> Reply:
        return self.ask("POST", f"/u/{token}", body, {"Content-Type": content_type})

    def press(self, token: str, act: str, on: tuple[str, ...] = (), **more: str) -> Reply:
        """Press a button of the page, with these topics ticked."""
        fields = [("act", act), *(("on", one) for one in on), *more.items()]
        fields += [("shown", one) for one in ("beta", "news", "tips")]
        return self.post(token, "&".join(f"{name}={value}" for name, value in fields).encode())


def links(engine: Engine, *users: int, topic: str = "tips", scope: str = "marketing", locale: str = "") -> list[str]:
    """Sign the tokens of some users' emails."""

    def sign(connection: Connection) -> list[str]:
        names, signer = Recipients.of(connection), Signer.of(connection)
        tokens = [
            Token(
                names.address(f"u{user}@example.com"), names.user(user), topic, scope, locale, "0" * 32, f"{user:032}"
            )
            for user in users
        ]
        return [signer.sign(token) for token in tokens]

    return reading(engine, sign)


def stopped(engine: Engine, user: int) -> set[str]:
    """What a user gets no more, by their address; by themselves it is the same."""

    def read(connection: Connection) -> list[set[str]]:
        names = Recipients.of(connection).of_user(user, f"u{user}@example.com")
        now = database_time(connection)
        return [suppressions.held(connection, [name], ALL, now) for name in names]

    by_user, by_address = reading(engine, read)
    assert by_user == by_address
    return by_user


def said(engine: Engine) -> list[dict[str, Any]]:
    """What all recipients said, in the order of time."""
    with engine.connect() as connection:
        rows = connection.execute(select(preferences).order_by(preferences.c.said_at, preferences.c.recipient))
        return [dict(row) for row in rows.mappings()]
