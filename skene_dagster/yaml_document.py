"""YAML as people mean it: the scalars of YAML 1.2, one document, no tags, no surprises; each value with its line."""

import re
from typing import Any

import yaml

from skene_dagster.codes import Code
from skene_dagster.documents import Document, Path_, cut, shown
from skene_dagster.errors import DocumentError, Place
from skene_dagster.text_lines import TextLines
from skene_dagster.values import DEEPEST, IN_RANGE, LONE_HALF, MOST_VALUES, decimal_number, whole_number

_KEEP = "Use `|` after the field's name, and write the text on the lines below it: `|` keeps the line breaks."
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""What may stand before a text: its anchor, its tag."""
_HIDDEN_BREAK = re.compile("[\x85\u2028\u2029]")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class _Loader(yaml.SafeLoader):
    """PyYAML's scanner and parser with the core schema of YAML 1.2, which stop when a file has too much.

    PyYAML, 2026-11: its own schema is that of YAML 1.1, where `no` is false, 12:30 is 750 and a date is an object.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML declares it so

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > 2 * MOST_VALUES:  # a name and its value are two
            raise yaml.MarkedYAMLError(problem=_TOO_MANY, problem_mark=self.get_mark())
        if self._depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.get_mark())
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


_TOO_MANY = f"it holds more than {MOST_VALUES:,} values"
_TOO_DEEP = "the values are nested too deeply"


_STANDARD = "tag:yaml.org,2002:"
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["", *"~nN"]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", [*"-+."]),
):
    _Loader.add_implicit_resolver(_STANDARD + _kind, re.compile(rf"({_pattern})\Z"), _first)


def parse_yaml(text: str, shown: str, error: type[DocumentError]) -> Document:
    """Read YAML that is one mapping; an empty text is an empty mapping.

    Raises:
        error: with the line, for anything else.
    """
    if hidden := _HIDDEN_BREAK.search(text):
        # PyYAML, 2026-11: these end a line, as in YAML 1.1, which editors do not show.
        line = text[: hidden.start()].count("\n") + 1
        raise error(
            f"The character U+{ord(hidden[0]):04X} is not allowed in YAML.", place=Place(shown, line), code=Code.SYNTAX
        )
    try:
        return _Reading(shown, error).document(text)
    except yaml.reader.ReaderError as bad:
        line = text[: bad.position].count("\n") + 1
        raise error(
            f"The character U+{bad.character:04X} is not allowed in YAML.", place=Place(shown, line), code=Code.SYNTAX
        ) from None
    except yaml.MarkedYAMLError as bad:
        raise _refusal(bad, shown, error) from None


class _Reading:
    """One reading of one file: the values, and where each stands."""

    def __init__(self, file: str, error: type[DocumentError]) -> None:
        self._file = file
        self._error = error
        self._lines: dict[Path_, int] = {}
        self._columns: dict[Path_, int] = {}
        self._texts: dict[Path_, TextLines] = {}
        self._open: list[yaml.Node] = []
        self._values = 0

    def document(self, text: str) -> Document:
        loader = _Loader(text)
        try:
            first = loader.get_node() if loader.check_node() else None
            second = loader.get_node() if loader.check_node() else None
        except (ValueError, OverflowError):
            # PyYAML, 2026-11: what `"\U00110000"` and `%YAML` with 5,000 digits come to.
            line = loader.get_mark().line + 1
            place = Place(self._file, line)
            raise self._error(
                "There is no such character or number.", advice="Correct it.", place=place, code=Code.SYNTAX
            ) from None
        if first is None:
            return Document(self._file, {})
        if second:
            raise self._refused("A second document begins here.", "Write one file for each.", second)
        data = self._value(first, ())
        if not isinstance(data, dict | None):
            raise self._refused("The file is not a mapping.", "Write fields: `name: value`.", first)
        return Document(self._file, data or {}, self._lines, self._texts, self._columns)

    def _value(self, node: yaml.Node, path: Path_) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            # Aliases of aliases can mean billions of values in ten lines.
            raise self._refused(f"The YAML cannot be read: {_TOO_MANY}.", "", node)
        if len(self._open) > DEEPEST:
            raise self._refused(f"The YAML cannot be read: {_TOO_DEEP}.", "", node)
        if any(node is outer for outer in self._open):
            raise self._refused("This value contains itself.", "Write the value itself instead of the alias.", node)
        self._stands(path, node)
        if isinstance(node, yaml.ScalarNode):
            scalar = self._scalar(node)
            if isinstance(scalar, str):
                self._texts[path] = _lines_of(node)
            return scalar
        self._kind(node)
        self._open.append(node)
        value = (
            [self._value(item, (*path, number)) for number, item in enumerate(node.value)]
            if isinstance(node, yaml.SequenceNode)
            else self._mapping(node, path)
        )
        self._open.pop()
        return value

    def _stands(self, path: Path_, node: yaml.Node) -> None:
        """Note where a value stands: where its name does, if it has one."""
        self._lines.setdefault(path, node.start_mark.line + 1)
        self._columns.setdefault(path, node.start_mark.column + 1)

    def _mapping(self, node: yaml.Node, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if isinstance(key_node, yaml.MappingNode) and key_node.flow_style:
                advice = 'Put it in quotes: "{{ user.name }}".'
                raise self._refused("A string that begins with {{ is a mapping unless it is quoted.", advice, key_node)
            if not isinstance(key, str):
                raise self._refused("A field's name must be a string.", "Put it in quotes.", key_node)
            if key == "<<" and key_node.style is None:
                raise self._refused("'<<' (merging) is not YAML 1.2.", "Write the fields out.", key_node)
            if key in found:
                raise self._refused(f"{shown(key)} appears twice.", "Keep one.", key_node)
            inner = (*path, key)
            self._stands(inner, key_node)
            found[key] = self._value(value_node, inner)
        return found

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        text: str = node.value
        kind = self._kind(node)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return {"true": True, "false": False}[text.lower()]
            if kind == "int":
                return whole_number(text, 0 if text[:2] in {"0o", "0x"} else 10)
            if kind == "float":
                return decimal_number(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except OverflowError:
            raise self._refused(f"{shown(text)} is out of range.", IN_RANGE, node) from None
        except (ValueError, KeyError):
            raise self._refused(f"{shown(text)} is not a valid {kind!r}.", "", node) from None
        if LONE_HALF.search(text):
            raise self._refused("The text holds half a character.", "Write both halves, or the character.", node)
        return text

    def _kind(self, node: yaml.Node) -> str:
        scalar = isinstance(node, yaml.ScalarNode)
        kinds = ("str", "null", "bool", "int", "float") if scalar else ("seq", "map")
        kind: str = node.tag.removeprefix(_STANDARD)
        if kind not in kinds:
            tag = f"!!{kind}" if node.tag.startswith(_STANDARD) else node.tag
            raise self._refused(f"The tag {tag} means nothing here.", "Leave it out.", node)
        return kind

    def _refused(self, message: str, advice: str, node: yaml.Node) -> DocumentError:
        return self._error(
            message,
            advice=advice,
            place=Place(self._file, node.start_mark.line + 1, column=node.start_mark.column + 1),
            code=Code.SYNTAX,
        )


def _lines_of(node: yaml.ScalarNode) -> TextLines:
    """Find the file's lines that a text was made from: every style but `|` may join them."""
    buffer = node.start_mark.buffer
    assert buffer is not None, "PyYAML, 2026-11: it is kept of what is read from a text"
    written = buffer[node.start_mark.pointer : node.end_mark.pointer]
    named = _PROPERTIES.match(written)
    assert named is not None
    first = node.start_mark.line + 1 + named[0].count("\n")
    if node.style == "|":
        return TextLines.as_written(node.value, first + 1)
    lines = _LINE_BREAK.split(written[named.end() :].strip())
    if node.style == ">":
        lines[0] = ""
    if len(lines) == 1:
        return TextLines(((0, first),), _KEEP)
    parts = [
        (first + number, _unquoted(line, node.style, is_first=number == 0, is_last=number == len(lines) - 1))
        for number, line in enumerate(lines)
    ]
    found = TextLines.between_blanks(node.value, parts, _KEEP)
    return found or TextLines.computed(first, _KEEP)


def _unquoted(line: str, style: str | None, *, is_first: bool, is_last: bool) -> str:
    """Read what one line adds to a text, except for the spaces around it."""
    line = line.strip()
    if style not in {"'", '"'}:
        return line
    line = line[is_first : len(line) - is_last].strip()
    if style == "'":
        return line.replace("''", "'")
    if re.search(r"(?<!\\)(\\\\)*\\$", line):
        # The line break is escaped.
        line = line[:-1]
    read: str = yaml.load(f'"{line}"', _Loader)  # noqa: S506 - a SafeLoader
    return read


_WORDS = {
    "found character '\\t'": ("a tab is used for indentation", "Use spaces."),
    "found character": ("a string begins with a reserved character", "Put the text in quotes."),
    "mapping values": ("a ': ' is not allowed there", "Check the indentation; a string with ': ' needs quotes."),
    "expected <block end>": ("the line fits nowhere", "Check the indentation and the quotes."),
    "could not find expected ':'": ("a field has no ':'", "Write `name: value`."),
    "found undefined alias": ("the alias names nothing", "Name the value before it is used: &name."),
}


def _refusal(bad: yaml.MarkedYAMLError, file: str, error: type[DocumentError]) -> DocumentError:
    mark, problem = bad.problem_mark or bad.context_mark, bad.problem or "it is not YAML"
    if bad.context_mark and ("end of stream" in problem or "<stream end>" in problem):
        mark, problem = bad.context_mark, "what begins here is never closed"
    if bad.context_mark and problem.startswith("could not find expected ':'"):
        mark = bad.context_mark  # PyYAML, 2026-11: it notices at the next field
    words = (pair for start, pair in _WORDS.items() if problem.startswith(start))
    problem, advice = next(words, (problem, ""))
    place = Place(file, mark.line + 1 if mark else None)
    return error(f"The YAML cannot be read: {cut(problem)}.", advice=advice, place=place, code=Code.SYNTAX)
