"""Loop files in TypeScript: `export default defineLoop({…})`, read from its syntax tree. Nothing is executed.

What a value is must be written there: an identifier, a call, a spread or an operator is refused with its line.
"""

import re
from typing import Any, NoReturn

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from skene_dagster.documents import Document, Path_, cut, in_words
from skene_dagster.errors import LoopSyntaxError, Place
from skene_dagster.text_lines import TextLines
from skene_dagster.values import DEEPEST, IN_RANGE, MOST_VALUES, decimal_number, whole_number

_FORM = "Write: export default defineLoop({ … });"
_TYPES_ONLY = {"comment", "hash_bang_line", "empty_statement", "interface_declaration", "type_alias_declaration"}
_TRANSPARENT = {"as_expression", "satisfies_expression", "parenthesized_expression"}
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_THEMSELVES = frozenset("'\"`\\$/{")
_KEEP = "Write the text in backticks, without a backslash at the end of a line: they keep the lines."
_SIGNED = re.compile(r"([-+]?)\s*(\S+)")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])")
_DECIMAL = re.compile(r"(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BASED = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_QUOTED = re.compile(r"""(['"])(?:\\.|(?!\1)[^\\])*\1""")
_LONGEST_LINE = 500
"""Characters in which a quote inside quotes is looked for."""


def parse_typescript(text: str, shown: str) -> Document:
    """Read the loop that a TypeScript text exports.

    Raises:
        LoopSyntaxError: it is not TypeScript, exports no loop, or holds something computed.
    """
    tree = Parser(Language(tree_sitter_typescript.language_typescript())).parse(text.encode())
    if tree.root_node.has_error:
        raise _syntax_error(tree.root_node, text, shown)
    reading = _Reading(shown, text.encode())
    data = reading.loop(tree.root_node)
    return Document(shown, data, reading.lines, reading.texts, reading.columns)


class _Reading:
    """One reading of one file: the values, and where each stands."""

    def __init__(self, shown: str, source: bytes) -> None:
        self.shown = shown
        self._rows = source.split(b"\n")
        self.lines: dict[Path_, int] = {}
        self.columns: dict[Path_, int] = {}
        self.texts: dict[Path_, TextLines] = {}
        self._values = 0

    def loop(self, program: Node) -> Any:
        exported: Node | None = None
        for statement in program.named_children:
            if statement.type in _TYPES_ONLY or _imports_names(statement):
                continue
            value = statement.child_by_field_name("value") if statement.type == "export_statement" else None
            if value is None:
                self._refuse(f"{_start(statement)} is more than a loop.", "Keep one `export default`.", statement)
            if exported is not None:
                self._refuse("A second loop is exported here.", "Write one file for each.", statement)
            exported = value
        if exported is None:
            raise LoopSyntaxError("The file exports no loop.", advice=_FORM, place=Place(self.shown))
        call = _bare(exported)
        name, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        given = _named(arguments) if arguments is not None else []
        if name is None or _text(name) != "defineLoop" or len(given) != 1 or _bare(given[0]).type != "object":
            self._refuse(f"{_start(call)} is not a loop.", _FORM, call)
        self.lines[()] = _line(call)
        return self._value(given[0], ())

    def _column(self, node: Node) -> int:
        # tree-sitter, 2026-12: counts bytes.
        place = node.start_point
        return len(self._rows[place.row][: place.column].decode(errors="replace")) + 1

    def _value(self, node: Node, path: Path_) -> Any:
        node = _bare(node)
        self._values += 1
        if self._values > MOST_VALUES:
            self._refuse(f"The file holds more than {MOST_VALUES:,} values.", "", node)
        if len(path) > DEEPEST:
            self._refuse("The values are nested too deeply.", "", node)
        self.lines.setdefault(path, _line(node))
        self.columns.setdefault(path, self._column(node))
        match node.type:
            case "object":
                return self._object(node, path)
            case "array":
                self._no_gaps(node, path)
                return [self._value(item, (*path, number)) for number, item in enumerate(_named(node))]
            case "string" | "template_string" if not any(c.type == "template_substitution" for c in node.children):
                pieces = self._pieces(node, path)
                self.texts[path] = TextLines.of(pieces, _KEEP)
                return "".join(piece for _, piece in pieces)
            case "true" | "false" | "null":
                return _WORDS[node.type]
            case _:
                return self._number(node, path)

    def _object(self, node: Node, path: Path_) -> dict[str, Any]:
        self._no_gaps(node, path)
        found: dict[str, Any] = {}
        for pair in _named(node):
            key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
            if pair.type != "pair" or key is None or value is None or key.type == "computed_property_name":
                self._computed(pair, path)
            name = "".join(p for _, p in self._pieces(key, path)) if key.type == "string" else _text(key)
            inner = (*path, name)
            if name in found:
                self._refuse(f"'{cut(name)}' appears twice.", "Keep one.", pair, path)
            self.lines[inner] = _line(pair)
            self.columns[inner] = self._column(pair)
            found[name] = self._value(value, inner)
        return found

    def _no_gaps(self, node: Node, path: Path_) -> None:
        """Refuse `[a, , b]` and `{a: 1,, b: 2}`, which the grammar lets pass."""
        before = ","
        for child in node.children[1:]:
            if child.type == "," and before == ",":
                self._refuse("A value is missing before this comma.", "Remove the comma.", child, path)
            before = before if child.type == "comment" else child.type

    def _number(self, node: Node, path: Path_) -> int | float:
        written = _SIGNED.fullmatch(_text(node))
        if written is None:
            self._computed(node, path)
        sign, digits = -1 if written[1] == "-" else 1, _BETWEEN_DIGITS.sub("", written[2])
        if digits == "Infinity":
            return sign * float("inf")
        try:
            if _BASED.fullmatch(digits):
                return sign * whole_number(digits, 0)
            if not _DECIMAL.fullmatch(digits):
                self._computed(node, path)
            # JavaScript knows one kind of number; 3.0 and 3 are the same.
            value = decimal_number(digits)
        except OverflowError:
            self._refuse(f"{_start(node)} is out of range.", IN_RANGE, node, path)
        return sign * (int(value) if value.is_integer() and value < 2**53 else value)

    def _pieces(self, node: Node, path: Path_) -> list[tuple[int, str]]:
        """Read a text line by line."""
        # JavaScript reads every line break of a template as \n.
        text = re.sub(r"\r\n?", "\n", _text(node)[1:-1])
        written = enumerate(re.split(r"(?<=\n)", text), _line(node))
        return [(line, self._decoded(part, line, path)) for line, part in written]

    def _decoded(self, text: str, line: int, path: Path_) -> str:
        def decoded(escape: re.Match[str]) -> str:
            code = escape[1] or escape[2] or escape[3]
            if code is not None:
                return chr(int(code, 16))
            if escape[4] in {"\n", "\u2028", "\u2029"}:
                return ""
            if escape[4].isdigit() and (escape[4] != "0" or text[escape.end() : escape.end() + 1].isdigit()):
                raise ValueError
            if escape[4] not in _LETTERS and escape[4] not in _THEMSELVES:
                # JavaScript drops it, and `LIKE '\_x'` would be LIKE '_x'.
                lost = f"JavaScript drops the backslash of {escape[0]} in this text."
                raise LoopSyntaxError(lost, advice=rf"Write \{escape[0]} to keep it, {escape[4]} to leave it out.")
            return _LETTERS.get(escape[4], escape[4])

        try:
            # Two escaped halves, \ud83d\ude00, are one character.
            return _ESCAPE.sub(decoded, text).encode("utf-16", "surrogatepass").decode("utf-16")
        except LoopSyntaxError as bad:
            message, advice = bad.message, bad.advice
        except (ValueError, OverflowError):
            message, advice = "A backslash in this text begins no character.", r"Write \\ for a backslash."
        raise LoopSyntaxError(message, advice=advice, place=Place(self.shown, line, in_words(path)))

    def _computed(self, node: Node, path: Path_) -> NoReturn:
        advice = "A loop file is read without being executed: write the value itself."
        self._refuse(f"{_start(node)} is computed.", advice, node, path)

    def _refuse(self, message: str, advice: str, node: Node, path: Path_ = ()) -> NoReturn:
        raise LoopSyntaxError(message, advice=advice, place=Place(self.shown, _line(node), in_words(path)))


def _imports_names(statement: Node) -> bool:
    return any(child.type == "import_clause" for child in statement.children)


def _bare(node: Node) -> Node:
    """Look through what only concerns types: `… as const`, `… satisfies Loop`, `(…)`."""
    while node.type in _TRANSPARENT:
        node = _named(node)[0]
    return node


def _named(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _start(node: Node) -> str:
    first, *more = _text(node).splitlines() or [""]
    return f"`{first[:60]}…`" if more or len(first) > 60 else f"`{first}`"


def _line(node: Node) -> int:
    return node.start_point.row + 1


def _syntax_error(root: Node, text: str, shown: str) -> LoopSyntaxError:
    node = _first_error(root)
    place = Place(shown, _line(node))
    written = text.split("\n")[_line(node) - 1].strip()[:_LONGEST_LINE]
    # A quoted text that a letter follows: 'You've …'.
    if any(re.match(r"\w", written[quoted.end() :]) for quoted in _QUOTED.finditer(written)):
        advice = "Write \\' for a quote within single quotes, or put the text in double quotes."
        return LoopSyntaxError(f"There is a quote inside quotes: `{cut(written)}`.", advice=advice, place=place)
    if node.is_missing:
        missing = "A value" if node.type == "identifier" else repr(node.type)
        return LoopSyntaxError(f"{missing} is missing in `{cut(written)}`, or before it.", place=place)
    advice = "Look for a missing comma, a quote inside quotes, or a bracket that is never closed."
    return LoopSyntaxError(f"{_start(node)} cannot be read here.", advice=advice, place=place)


def _first_error(node: Node) -> Node:
    # A loop, for a fault may be nested as deep as the file is long.
    while wrong := next((child for child in node.children if child.has_error or child.is_missing), None):
        node = wrong
        if node.is_error or node.is_missing:
            break
    return node
