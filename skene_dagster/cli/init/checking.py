"""Whether what is proposed validates: it is, before anything is written, in a folder of its own."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from skene_dagster.errors import SkeneError
from skene_dagster.project import load_project
from skene_dagster.settings import load


def faults_of(texts: Mapping[str, str], url: str | None) -> list[str]:
    """List what `validate` would refuse; with a database, what `validate --database` would."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        environ = {**os.environ, **({"SKENE_DATABASE_URL": url} if url else {})}
        try:
            settings = load(root, environ)
            project = load_project(settings)
            found: list[SkeneError] = [error for broken in project.broken for error in broken.error.errors]
            if url is not None:
                # Imported here: it costs much, and code needs none of it.
                from skene_dagster.cli.validate.database_checks import ask  # noqa: PLC0415

                answer = ask(settings, project)
                found += [*answer.settings, *(one for errors in answer.loops.values() for one in errors)]
                found += [answer.unreachable] if answer.unreachable else []
        except SkeneError as error:
            found = [error]
    return [" ".join(str(error).split()) for error in found]
