"""A DNS server on a local port, over UDP: texts by their names, and whatever else a server may answer, or not."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
from dns.rdtypes.ANY.TXT import TXT

Trouble = Literal["", "silent", "servfail", "garbage"]


@dataclass
class DnsServer:
    port: int = 0
    texts: dict[str, list[str]] = field(default_factory=dict)
    """By their names, in small letters and without the last dot."""
    trouble: Trouble = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, wire: bytes) -> bytes:
        question = dns.message.from_wire(wire)
        name = question.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True).lower())
        if self.trouble == "garbage":
            return wire[:2] + b"\xff" * 20
        response = dns.message.make_response(question)
        response.flags |= dns.flags.RA
        found = self.texts.get(self.asked[-1])
        if self.trouble == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found:
            records = [TXT(dns.rdataclass.IN, dns.rdatatype.TXT, _cut(text.encode())) for text in found]
            response.answer.append(dns.rrset.from_rdata_list(name, 60, records))
        return bytes(response.to_wire())

    def resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.port
        return resolver


def _cut(text: bytes) -> list[bytes]:
    return [text[start : start + 255] for start in range(0, len(text), 255)]


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        wire, socket = self.request
        if server.state.trouble != "silent":
            socket.sendto(server.state.answer(wire), self.client_address)


@contextmanager
def dns_server() -> Iterator[DnsServer]:
    state = DnsServer()
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), _Handler) as server:
        server.state = state  # type: ignore[attr-defined]
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
