"""Who takes the emails and counts them: a mail server in a process of its own, which outlives those that call it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

from resends import Arrived
from servers import free_port, listens, running

SERVER = Path(__file__).parents[1] / "providers" / "smtp_server.py"


@dataclass
class LocalMailServer:
    """One without faults of its own."""

    port: int
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"SKENE_SMTP_URL": f"smtp://127.0.0.1:{self.port}"}

    def emails(self) -> list[Arrived]:
        mails = [message_from_bytes(file.read_bytes()) for file in sorted(self.folder.glob("*.eml"))]
        return [Arrived(mail["X-Tag-send"], mail["To"], mail["X-Tag-send"]) for mail in mails]

    def posts(self) -> int:
        """How many emails it took."""
        return len(self.emails())


@contextmanager
def local_mail_server(folder: Path) -> Iterator[LocalMailServer]:
    """Run it."""
    port, taken = free_port(), folder / "taken"
    taken.mkdir()
    command = [sys.executable, str(SERVER), "--port", str(port), "--folder", str(taken)]
    with running(command, folder, lambda: listens(port)):
        yield LocalMailServer(port, taken)
