"""Renders one email of every loop that loaded: a template that is accepted must be harmless when it is used, too."""

from collections.abc import Mapping
from pathlib import Path

from skene_dagster.delivery.email.letterhead import Letterhead
from skene_dagster.delivery.email.templates import MissingValue, Templates, Unrenderable
from skene_dagster.errors import SkeneError
from skene_dagster.project import load_project
from skene_dagster.settings import load

LONG = "Ada " * 60


def render_all(root: Path, environ: Mapping[str, str]) -> str:
    """Say for each step how its email ended, one word a line."""
    try:
        settings = load(root, environ)
        project = load_project(settings)
    except SkeneError:
        return ""
    templates = Templates(settings.templates, settings.root)
    ends = []
    for plan in project.loops:
        for step in plan.steps:
            if step.email is None:
                continue
            try:
                message = templates.render(
                    step.email,
                    user={"id": 7, "name": LONG},
                    row={},
                    letterhead=Letterhead.of(settings, step.email),
                    send_id="ab" * 16,
                    to="ada@example.com",
                    loop=plan.name,
                    step=step.name,
                )
                ends.append(f"{plan.name} email {len(message.html)}")
            except (MissingValue, Unrenderable, SkeneError) as bad:
                ends.append(f"{plan.name} {type(bad).__name__} {str(bad)[:200]}")
    return "\n".join(ends)
