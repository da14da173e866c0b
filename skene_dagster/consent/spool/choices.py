"""What a recipient chose at one moment: written to the database, or as a line of a file until it can be."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection

from skene_dagster.consent import preferences
from skene_dagster.consent.preferences import Answer, Said
from skene_dagster.consent.suppressions import Scope


class Torn(Exception):
    """The line is no whole one: the process that wrote it died, and had told nobody that it was kept."""


@dataclass(frozen=True)
class Choices:
    """What somebody answered, about how much of their email."""

    recipients: tuple[str, ...]
    """Their address and their user, as `Recipients` names them: no line holds an address."""
    answers: tuple[tuple[Answer, Scope], ...]
    said: Said

    def record(self, connection: Connection, now: datetime) -> None:
        """Write them to the database; it may be done again, and late.

        Raises:
            IntegrityError: another process writes the same at this moment; do it again.
        """
        for answer, scope in self.answers:
            if answer == "no":
                preferences.say_no(connection, self.recipients, scope, self.said, now)
            else:
                # What they stopped after this "yes" stays stopped, also where the "yes" is written down later.
                preferences.say_yes(connection, self.recipients, scope, self.said, min(now, self.said.at))

    def line(self) -> bytes:
        """Write them as one line."""
        written = {
            "recipients": self.recipients,
            "answers": self.answers,
            "at": self.said.at.isoformat(),
            "source": self.said.source,
            "text": self.said.text_digest,
            "send_id": self.said.send_id,
        }
        return json.dumps(written).encode() + b"\n"

    @staticmethod
    def read(line: bytes) -> "Choices":
        """Read a line.

        Raises:
            Torn: it is none.
            ValueError: it is one, but not of this release.
        """
        try:
            read = json.loads(line)
        except ValueError:
            raise Torn from None
        try:
            answers = tuple((answer, str(scope)) for answer, scope in read["answers"])
            said = Said(datetime.fromisoformat(read["at"]), read["source"], read["text"], read.get("send_id"))
            recipients = tuple(map(str, read["recipients"]))
        except (KeyError, TypeError) as error:
            raise ValueError(str(error)) from None
        if not answers or not {answer for answer, _ in answers} <= set(get_args(Answer)):
            raise ValueError("no answer")
        return Choices(recipients, answers, said)


def in_order(many: Sequence[Choices]) -> list[Choices]:
    """Sort what is written in one transaction: two processes that lock the same rows then do it in the same order."""
    return sorted(many, key=lambda one: (one.recipients, one.said.at))
