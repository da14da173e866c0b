"""What `validate` found, for programs: JSON, SARIF, and the annotations of GitHub."""

import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from skene_dagster.cli.validate.findings import Finding

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_json(found: Sequence[Finding], database: str | None) -> str:
    """Write one object; its files are relative to the project.

    Args:
        database: what it was checked against; None: it was not.
    """
    said = {
        "version": 1,
        "ok": all(one.level != "error" for one in found),
        "database": database,
        "findings": [
            {
                "level": one.level,
                "code": one.code.id,
                "file": one.place.file if one.place else None,
                "line": one.place.line if one.place else None,
                "column": one.place.column if one.place else None,
                "part": (one.place.part or None) if one.place else None,
                "message": one.message,
                "advice": one.advice,
            }
            for one in found
        ],
    }
    return f"{json.dumps(said, indent=2, ensure_ascii=False)}\n"


def to_sarif(found: Sequence[Finding], root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Write a log of SARIF 2.1.0; its files are relative to the repository.

    Args:
        root: the project's folder.
    """
    rules = {one.code.id: one.code for one in found}
    names = sorted(rules)
    log = json.dumps(
        {
            "$schema": SARIF_SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "skene-dagster",
                            "version": version("skene-dagster"),
                            "rules": [
                                {
                                    "id": name,
                                    "shortDescription": {"text": rules[name].title},
                                    "help": {"text": rules[name].means},
                                }
                                for name in names
                            ],
                        }
                    },
                    "columnKind": "unicodeCodePoints",
                    "results": [_result(one, names.index(one.code.id), root, environ) for one in found],
                }
            ],
        },
        indent=2,
        ensure_ascii=False,
    )
    return f"{log}\n"


def to_github(found: Sequence[Finding], root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Write a workflow command for each, by which GitHub shows it beside its line; files as for SARIF."""
    return "".join(f"{_annotation(one, root, environ)}\n" for one in found)


def _result(one: Finding, rule: int, root: Path, environ: Mapping[str, str]) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": one.code.id,
        "ruleIndex": rule,
        "level": "note" if one.level == "notice" else one.level,
        "message": {"text": _said(one)},
    }
    if one.place is not None:
        region = {"startLine": one.place.line, "startColumn": one.place.column}
        where: dict[str, object] = {"artifactLocation": {"uri": quote(Path(_file(one, root, environ)).as_posix())}}
        if one.place.line is not None:
            where["region"] = {name: value for name, value in region.items() if value is not None}
        result["locations"] = [{"physicalLocation": where}]
    return result


def _annotation(one: Finding, root: Path, environ: Mapping[str, str]) -> str:
    properties: dict[str, object] = {}
    if one.place is not None:
        properties = {"file": _file(one, root, environ), "line": one.place.line, "col": one.place.column}
    properties["title"] = f"{one.code.id} {one.code.title}"
    written = ",".join(
        f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items() if value is not None
    )
    return f"::{one.level} {written}::{_escaped(_said(one))}"


def _escaped(text: str, more: str = "") -> str:
    """Escape a text as the toolkit of GitHub's actions does (@actions/core 3.0)."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _said(one: Finding) -> str:
    return f"{one.message} {one.advice}".strip()


def _file(one: Finding, root: Path, environ: Mapping[str, str]) -> str:
    """Name a file as its repository does: what GitHub's workflow has checked out, or else the current folder."""
    assert one.place is not None
    repository = Path(environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    file = root.resolve() / one.place.file
    return str(file.relative_to(repository)) if file.is_relative_to(repository) else one.place.file
