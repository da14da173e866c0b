"""A mail server of others (aiosmtpd), over a real socket, whose answers a test may choose; also as a process.

As a process it writes each email that it took into a folder, before it says so.
"""

import argparse
import asyncio
import ssl
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

sys.path.append(str(Path(__file__).parents[1]))
from servers import free_port

USER, PASSWORD = "us@example.com", "p@ss:w/rd%"

Stage = Literal["hello", "AUTH", "MAIL", "RCPT", "DATA", "content", "dot"]
"""When a server says something else: to EHLO and HELO, to a command, while it reads the content, after its dot."""


@dataclass(frozen=True)
class Taken:
    """An email that was taken: its envelope, and its bytes."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass
class MailServer:
    """What a server took, and what it does at the next occasion of each stage.

    An answer is a reply as it is written, or `cut`: the connection ends without one, `partial`: within one, `silent`:
    nothing comes, `trickled`: one without end, `nonsense`, `long`: one line that is too long. `taken, …`: the message
    is taken before that.
    """

    host: str
    port: int
    script: dict[Stage, list[str]] = field(default_factory=dict)
    emails: list[Taken] = field(default_factory=list)
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    """The envelopes and commands of all connections, in their order."""
    folder: Path | None = None
    """Where each email is written that is taken."""
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, stage: Stage) -> str | None:
        answers = self.script.get(stage)
        return answers.pop(0) if answers else None

    def take(self, email: Taken) -> None:
        self.emails.append(email)
        if self.folder is not None:
            draft = self.folder / f".{len(self.emails):06}"
            draft.write_bytes(email.content)
            draft.rename(self.folder / f"{len(self.emails):06}.eml")


class _Protocol(SMTP):
    def __init__(self, state: MailServer, **options: Any) -> None:
        self.state = state
        super().__init__(_Handler(state), **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.state.connections += 1
        super().connection_made(transport)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - the name is aiosmtpd\'s
        if not await self.says("hello"):
            await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - the name is aiosmtpd's
        if not await self.says("hello"):
            await super().smtp_HELO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - the name is aiosmtpd's
        if not await self.says("AUTH"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - the name is aiosmtpd\'s
        self.state.commands.append(f"MAIL {arg}")
        if not await self.says("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - the name is aiosmtpd\'s
        self.state.commands.append(f"RCPT {arg}")
        if not await self.says("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the name is aiosmtpd\'s
        if await self.says("DATA"):
            return
        if fault := self.state.next("content"):
            await self.push("354 go on")
            await self._reader.read(100)
            await self.say(fault)
            return
        await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802 - the name is aiosmtpd\'s
        self.state.commands.append("RSET")
        await super().smtp_RSET(arg)

    async def says(self, stage: Stage) -> bool:
        """Say what the script has for a stage, if it has something."""
        answer = self.state.next(stage)
        if answer is not None:
            await self.say(answer)
        return answer is not None

    async def say(self, answer: str) -> None:
        transport = self.transport
        assert isinstance(transport, asyncio.Transport)
        match answer:
            case "cut":
                transport.close()
            case "partial":
                transport.write(b"250-2.0.0 Ok\r\n25")
                transport.close()
            case "long":
                transport.write(b"250 " + b"x" * 20_000 + b"\r\n")
            case "nonsense":
                await self.push("Hello, what was that?")
            case "trickled":
                while not transport.is_closing():
                    transport.write(b"2")
                    await asyncio.sleep(0.05)
            case "silent":
                await asyncio.to_thread(self.state.over.wait)
                transport.close()
            case _:
                await self.push(answer)
                if answer.startswith("421"):
                    transport.close()


class _Handler:
    def __init__(self, state: MailServer) -> None:
        self.state = state

    async def handle_DATA(self, server: _Protocol, _session: Any, envelope: Any) -> str | None:  # noqa: N802 - the name is aiosmtpd\'s
        answer = self.state.next("dot") or "250 2.0.0 Ok: queued as 4ZtQ"
        is_taken = answer.startswith(("2", "taken, "))
        if is_taken:
            self.state.take(Taken(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content))
        answer = answer.removeprefix("taken, ")
        if answer[0].isdigit():
            return answer
        await server.say(answer)
        # aiosmtpd 1.4, 2026-11: a hook that has answered by itself must have something pushed all the same.
        raise ConnectionResetError


class _Controller(Controller):
    def __init__(self, state: MailServer, options: dict[str, Any], **where: Any) -> None:
        self.state, self.options = state, options
        super().__init__(_Handler(state), hostname=state.host, port=state.port, **where)

    def factory(self) -> _Protocol:
        with warnings.catch_warnings():
            # Of a login without TLS; it stays on this machine.
            warnings.simplefilter("ignore", UserWarning)
            return _Protocol(self.state, loop=self.loop, hostname="mail.example.com", ident="a test", **self.options)


def _knows_us(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


@contextmanager
def mail_server(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: bool = False,
    size: int | None = None,
    folder: Path | None = None,
) -> Iterator[MailServer]:
    """Run one.

    Args:
        tls: it speaks TLS from the first byte.
        starttls: it offers STARTTLS, and takes nothing before.
        login: it takes emails from USER only.
        size: the largest email that it takes, in bytes.
    """
    state = MailServer(host, port or free_port(), folder=folder)
    options: dict[str, Any] = {"timeout": 30, "data_size_limit": size}
    if starttls is not None:
        options |= {"tls_context": starttls, "require_starttls": True}
    if login:
        options |= {"authenticator": _knows_us, "auth_required": True, "auth_require_tls": starttls is not None}
    controller = _Controller(state, options, ssl_context=tls)
    controller.start()
    state.connections = 0
    try:
        yield state
    finally:
        state.over.set()
        controller.stop()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--folder", type=Path, required=True)
    given = arguments.parse_args()
    with mail_server(port=given.port, folder=given.folder):
        threading.Event().wait()
