"""Names of tables and columns, taken apart into words."""

import re
from collections import Counter
from collections.abc import Iterable

from skene_dagster.init.schema import Schema, Table

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SUFFIX = re.compile(r"_(unix|ts|ms|gmt|utc)$")
_IRREGULAR = {"people": "person", "persons": "person", "status": "status", "news": "news", "kunden": "kunde"}
_SHARED_BY = 0.6
_FEWEST_TABLES = 4


def singular(word: str) -> str:
    """Write a word in the singular, in lower case."""
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search("(ss|x|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if re.search("[^sui]s$", word) else word


def prefix_of(names: Iterable[str]) -> str:
    """Find what most tables begin with, such as `wp_`; empty if there is nothing."""
    names = list(names)
    begins = Counter(name.partition("_")[0] + "_" for name in names if "_" in name)
    if not begins or len(names) < _FEWEST_TABLES:
        return ""
    prefix, shared = begins.most_common(1)[0]
    # `user_emails`, `user_roles` share the subject, not a prefix.
    is_subject = singular(prefix.rstrip("_")) in {"user", "member", "customer", "account"}
    return prefix if shared >= _SHARED_BY * len(names) and not is_subject else ""


def spelled(name: str) -> tuple[str, ...]:
    """List the words of any name, in the singular."""
    return tuple(singular(word) for word in _WORD.findall(name))


def words_of(table: Table, prefix: str = "") -> tuple[str, ...]:
    """List the words of a table's name, in the singular."""
    return spelled(table.name.removeprefix(prefix))


def folded(column: str, table: Table, prefix: str = "") -> str:
    """Write a column's name without `_`, the table's own name before it, and what it counts after it."""
    plain = _SUFFIX.sub("", column.lower())
    own = "_".join(words_of(table, prefix))
    for one in (own, own.rpartition("_")[2]):
        if one and plain.startswith(one + "_"):
            plain = plain[len(one) + 1 :]
    return plain.replace("_", "")


def references(schema: Schema, to: Table, prefix: str = "") -> list[tuple[Table, str]]:
    """List the tables with a column that names a row of this one: by a foreign key, or by its name."""
    head = words_of(to, prefix)[-1:] or ("",)
    names = {f"{head[0]}id", *(("userid",) if head[0] == "user" else ())}
    found = []
    for table in schema.tables:
        if table.name == to.name:
            continue
        columns = [one for one in table.columns if one.refers_to.lower() == to.name.lower()]
        columns += [
            one for one in table.columns if not one.refers_to and one.name.lower().replace("_", "") in names - {"id"}
        ]
        if columns:
            found.append((table, columns[0].name))
    return found
