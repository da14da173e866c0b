"""Cut the WHERE of a SELECT at its ANDs, in its author's own words."""

from dataclasses import dataclass

from skene_dagster.loops.dialect.scanner import Word

_ENDS = frozenset(("GROUP", "HAVING", "ORDER", "LIMIT", "WINDOW", "UNION", "EXCEPT", "INTERSECT", "FOR"))
_AND = frozenset(("AND", "&&"))
_OR = frozenset(("OR", "XOR", "||"))


@dataclass(frozen=True)
class Cut:
    """A SELECT in pieces: what stands before its conditions, each of them, and what stands behind."""

    before: list[Word]
    conditions: list[list[Word]]
    behind: list[Word]

    def alone(self, condition: list[Word]) -> str:
        """Write the SELECT with one of its conditions only."""
        return " ".join(map(written, (self.before, condition, self.behind))).strip()


def cut(words: list[Word]) -> Cut:
    """Cut a SELECT of which all conditions in WHERE must hold; without a WHERE there are none."""
    depth = 0
    begin, end = len(words), len(words)
    for at, word in enumerate(words):
        depth += _deeper(word)
        if depth == 0 and word.kind == "word":
            if word.upper == "WHERE" and begin == len(words):
                begin = at + 1
            elif word.upper in _ENDS and begin < at:
                end = at
                break
    return Cut(words[:begin], _conditions(words[begin:end]), words[end:])


def written(words: list[Word]) -> str:
    """Write words as text, on one line."""
    return "".join((" " if word.before else "") + word.text for word in words).strip()


def _conditions(words: list[Word]) -> list[list[Word]]:
    inner = words
    while _is_in_parentheses(inner):
        inner = inner[1:-1]
    found: list[list[Word]] = [[]]
    depth = cases = betweens = 0
    for word in inner:
        depth += _deeper(word)
        if depth == 0 and word.kind in ("word", "operator"):
            cases += {"CASE": 1, "END": -1}.get(word.upper, 0)
            betweens += word.upper == "BETWEEN" and not cases
            if word.upper in _OR and not cases:
                return [inner]
            if word.upper in _AND and not cases:
                if not betweens:
                    found.append([])
                    continue
                betweens -= 1
        found[-1].append(word)
    if len(found) == 1:
        return [inner] if inner else []
    return [one for part in found for one in _conditions(part)]


def _is_in_parentheses(words: list[Word]) -> bool:
    if not words or words[0].text != "(" or words[-1].text != ")":
        return False
    depth = 0
    for at, word in enumerate(words):
        depth += _deeper(word)
        if depth == 0:
            return at == len(words) - 1
    return False


def _deeper(word: Word) -> int:
    return {"(": 1, ")": -1}.get(word.text, 0) if word.kind == "operator" else 0
