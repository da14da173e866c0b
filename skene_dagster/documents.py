"""Files that people write: read with the line of every value, checked by a pydantic model, refused in words."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from skene_dagster.codes import Code
from skene_dagster.errors import DocumentError, DocumentErrors, Place
from skene_dagster.text_lines import TextLines

Path_ = tuple[str | int, ...]
"""A value's place inside a document: ("steps", 0, "condition", "query")."""


@dataclass(frozen=True)
class Document:
    """What a file says (plain dicts, lists and scalars), and the line of each value."""

    file: str
    data: Any
    lines: Mapping[Path_, int] = field(default_factory=dict)
    texts: Mapping[Path_, TextLines] = field(default_factory=dict)
    """The lines of each text; it may begin below its name."""
    columns: Mapping[Path_, int] = field(default_factory=dict)
    """Where in its line each value begins, or its name, from 1; empty where its language does not tell."""

    def place(self, path: Path_, *, part: str | None = None) -> Place:
        """Return the place of `path`: the line of its nearest known ancestor, in the spelling of the file."""
        path = self._as_written(path)
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        said = part if part is not None else in_words(path)
        return Place(self.file, self.lines.get(known), said, self.columns.get(known))

    def text_lines(self, path: Path_) -> TextLines | None:
        """Find the lines of the text at `path`."""
        return self.texts.get(self._as_written(path))

    def text_place(self, path: Path_, offset: int = 0) -> Place:
        """Say where the text at `path` begins, or where its part at an offset stands."""
        place, lines = self.place(path), self.text_lines(path)
        return Place(place.file, lines.at(offset) if lines else place.line, place.part)

    def _as_written(self, path: Path_) -> Path_:
        here, written = self.data, list[str | int]()
        for part in path:
            if part == 0 and isinstance(here, Mapping) and here:
                # One thing in the place of a list: see `settings.goals.OneOrSeveral`.
                continue
            if isinstance(part, str) and isinstance(here, Mapping) and part not in here and to_camel(part) in here:
                written.append(to_camel(part))
            else:
                written.append(part)
            try:
                here = here[written[-1]]
            except (KeyError, IndexError, TypeError):
                here = None
        return tuple(written)


def in_words(path: Path_) -> str:
    """Name a path as its author would: `step 1, condition.query` (steps count from one)."""
    if len(path) >= 2 and path[0] == "steps" and isinstance(path[1], int):
        rest = in_words(path[2:])
        return f"step {path[1] + 1}" + (f", {rest}" if rest else "")
    return ".".join(cut(str(part)) for part in path)


class Spec(BaseModel):
    """A part of a file that people write: camelCase and snake_case are both read, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )


SpecType = TypeVar("SpecType", bound=Spec)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Find the models that an annotation names, however deep inside it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


_MOST_CHOICES = 16
"""What fits into an error of a few lines."""

_MOST_ERRORS = 20
"""The most errors of one file that are shown; the others are counted."""

_MOST_QUOTED = 80
"""Characters of an author's value."""


def parse(model: type[SpecType], document: Document, error: type[DocumentError]) -> SpecType:
    """Check a document against its model.

    Raises:
        DocumentErrors, or a single `error`: every fault with its line, in the author's words.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as bad:
        items = bad.errors()
        found = [_fault(model, document, error, item) for item in items[:_MOST_ERRORS]]
    raise together(found, more=len(items) - len(found))


def together(errors: Iterable[DocumentError], *, more: int = 0) -> DocumentError:
    """Return what to raise for several errors: the single one, or the first, each file in the order of its lines.

    Args:
        more: how many there are beside these.
    """
    found = sorted(errors, key=lambda error: (error.place.file, error.place.line or 0) if error.place else ("", 0))
    more += len(found) - len(found[:_MOST_ERRORS])
    if more:
        last = found[:_MOST_ERRORS][-1]
        place = Place(last.place.file) if last.place else None
        found = [*found[:_MOST_ERRORS], type(last)(f"There are {more:,} more errors.", place=place, code=Code.MORE)]
    first, *others = found
    return DocumentErrors(found) if others else first


def one_of(given: object, choices: Iterable[str]) -> str:
    """Suggest the possible values, if there are not too many, and the one that was probably meant."""
    known = list(choices)
    near = nearest(given, known) if isinstance(given, str) else []
    told = [] if near and len(known) > _MOST_CHOICES else [f"Use one of: {', '.join(known)}."]
    return " ".join(told + [f"Did you mean {one!r}?" for one in near])


def nearest(given: str, known: Iterable[str]) -> list[str]:
    """Find the name that was probably meant, if any is near; a long text is not, and takes long to compare."""
    return difflib.get_close_matches(given, list(known), n=1, cutoff=0.6) if len(given) <= _MOST_QUOTED else []


def shown(value: object) -> str:
    """Show a value in the words of a file, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and len(value) > _MOST_QUOTED:
        return f"{value[:_MOST_QUOTED]!r}…"
    if isinstance(value, int) and abs(value) >= 10**_MOST_QUOTED:
        # Python 3.11 refuses to write more than 4,300 digits.
        return f"a number of more than {_MOST_QUOTED} digits"
    return "nothing" if value is None else repr(value)


def cut(text: str) -> str:
    """Shorten a text that is quoted as it is."""
    return text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…"


_KINDS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _fault(model: type[Spec], document: Document, error: type[DocumentError], item: Mapping[str, Any]) -> DocumentError:
    path, owners, inside = _follow(model, item["loc"])
    name = str(path[-1]) if path else "the file"
    subject = in_words(path[-2:]) if path and isinstance(path[-1], int) else name
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    place = document.place(path)

    def said(code: Code, message: str, advice: str = "") -> DocumentError:
        return error(message, advice=advice, place=place, code=code)

    if kind == "extra_forbidden":
        return _unknown_field(document, error, path, owners)
    if kind == "missing":
        name = _spelling(document, owners, name)
        place = document.place(path, part=in_words((*path[:-1], name)))
        return said(Code.MISSING_FIELD, f"{name!r} is missing.", "Add it.")
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        article = "an" if name[0] in "aeiou" else "a"
        return said(Code.NOT_A_CHOICE, f"{shown(value)} is not {article} {name}.", one_of(value, choices))
    if kind == "union_tag_invalid":
        place, given = document.place((*path, "type"), part=in_words(path)), value.get("type")
        return said(Code.NOT_A_CHOICE, f"{shown(given)} is not a type of {name}.", one_of(given, _tags(inside)))
    if kind == "union_tag_not_found":
        return said(Code.NOT_A_CHOICE, f"{name!r} needs a 'type'.", f"Use one of: {', '.join(_tags(inside))}.")
    if kind == "value_error":
        return said(Code.BAD_VALUE, f"{context['error']}.")
    if kind == "string_too_long":
        return said(Code.OUT_OF_BOUNDS, f"{name!r} is longer than {context['max_length']} characters.")
    if kind == "string_pattern_mismatch":
        advice = "Write lower-case letters, digits and underscores, a letter first: bulk_export."
        return said(Code.BAD_VALUE, f"{shown(value)} is not a short name.", advice)
    if kind in {"too_short", "string_too_short"}:
        return said(Code.OUT_OF_BOUNDS, f"{name!r} is empty.")
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return said(Code.OUT_OF_BOUNDS, f"{subject} must be {words} {context[bound]}, not {shown(value)}.")
    if kind not in _KINDS:
        return said(Code.BAD_VALUE, f"{subject} cannot be {shown(value)}: {item['msg']}.")
    quotes = kind == "string_type" and isinstance(value, int | float)
    message = f"{subject} takes {_KINDS[kind]}, not {shown(value)}."
    return said(Code.WRONG_KIND, message, "Put it in quotes." if quotes else "")


def _unknown_field(
    document: Document, error: type[DocumentError], path: Path_, owners: tuple[type[BaseModel], ...]
) -> DocumentError:
    name = str(path[-1])
    fields = [(field_name, str(info.alias)) for m in owners for field_name, info in m.model_fields.items()]
    for pair in fields:
        # Pydantic calls the second spelling of one field an unknown field.
        if name in pair:
            message, place = f"{pair[1]!r} and {pair[0]!r} are two spellings of the same field.", document.place(path)
            return error(message, advice="Keep one.", place=place, code=Code.UNKNOWN_FIELD)
    known = [_spelling(document, owners, alias) for _, alias in fields]
    return error(
        f"{shown(name)} is not a field here.",
        advice=one_of(name, known),
        place=document.place(path),
        code=Code.UNKNOWN_FIELD,
    )


def _spelling(document: Document, owners: tuple[type[BaseModel], ...], alias: str) -> str:
    """Spell a field as the language of its file does."""
    if document.file.endswith(".ts"):
        return alias
    fields = ((name, info.alias) for model in owners for name, info in model.model_fields.items())
    return next((name for name, known in fields if known == alias and not name.endswith("_")), alias)


def _follow(
    model: type[BaseModel], loc: tuple[str | int, ...]
) -> tuple[Path_, tuple[type[BaseModel], ...], tuple[type[BaseModel], ...]]:
    """Follow pydantic's location: the author's path, the models that hold its last part, the models behind it."""
    path: list[str | int] = []
    owners: tuple[type[BaseModel], ...] = ()
    inside: tuple[type[BaseModel], ...] = (model,)
    named = False
    for part in loc:
        if part == "[key]":
            # So pydantic marks that an entry's name is at fault, not what the entry holds.
            continue
        if named:
            # The name of an entry: what it holds is what the field holds.
            path.append(part)
            named = False
            continue
        if len(inside) > 1:
            # In a union pydantic puts the member's tag into the location; the author did not write it there.
            inside = tuple(member for member in inside if part in _tags((member,)))
            continue
        path.append(part)
        if isinstance(part, str):
            owners = inside
            annotations = [
                info.annotation
                for owner in owners
                for field_name, info in owner.model_fields.items()
                if part in {field_name, info.alias}
            ]
            inside = tuple(found for annotation in annotations for found in models_in(annotation))
            named = any(get_origin(annotation) is dict for annotation in annotations)
    return tuple(path), owners, inside


def _tags(models: Iterable[type[BaseModel]]) -> list[str]:
    return [tag for model in models for tag in get_args(model.model_fields["type"].annotation)]
