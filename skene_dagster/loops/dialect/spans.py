"""Where in the text for servers a column stands, or a text that is computed."""

from bisect import bisect_right
from itertools import accumulate

from sqlglot import exp

from skene_dagster.loops.dialect.rewriting import Rewritten


class Spans:
    """Where in a server's text that stands which the parser saw."""

    def __init__(self, rewritten: Rewritten, around: int) -> None:
        self._rewritten = rewritten
        self._around = around
        self._judged = list(accumulate(map(len, rewritten.judged), initial=0))
        self._server = list(accumulate(map(len, rewritten.server), initial=0))
        text = "".join(rewritten.server)
        self._cut = len(text) - len(text.lstrip())

    def of(self, value: exp.Expr) -> tuple[int, int]:
        """Return where a column, or a text that is computed, begins and ends; nothing is said of anything else."""
        match value:
            case exp.Column():
                first, last = (self._piece(part.meta["start"]) for part in (value.parts[0], value.parts[-1]))
            case exp.JSONExtractScalar(this=exp.Column()):
                # The column, the arrow, and the path.
                first, last = (self._piece(value.this.parts[at].meta["start"]) + 2 * -at for at in (0, -1))
            case exp.Anonymous():
                first = self._piece(value.meta["start"])
                last = self._closing(first)
            case exp.Cast():
                # sqlglot, 2026-11: it does not say where a CAST begins.
                first = min(self._piece(inner.meta["start"]) for inner in value.walk() if "start" in inner.meta)
                while self._rewritten.judged[first].strip().upper() not in ("CAST", "CONVERT"):
                    first -= 1
                last = self._closing(first)
            case _:
                return 0, 0
        return self._server_start(first), self._server_end(last)

    def _closing(self, called: int) -> int:
        """Find the parenthesis that closes the call of a function."""
        piece, depth = called + 1, 1
        while depth:
            piece += 1
            depth += {"(": 1, ")": -1}.get(self._rewritten.judged[piece].strip(), 0)
        return piece

    def _server_end(self, piece: int) -> int:
        return self._server[piece + 1] - self._cut

    def _piece(self, offset: int) -> int:
        return bisect_right(self._judged, offset - self._around) - 1

    def _server_start(self, piece: int) -> int:
        text = self._rewritten.server[piece]
        return self._server[piece] + len(text) - len(text.lstrip()) - self._cut
