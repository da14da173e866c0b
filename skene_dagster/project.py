"""A project on disk: every loop planned, and every broken file with its error."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath

from skene_dagster import boundary
from skene_dagster.codes import Code
from skene_dagster.delivery.email.templates import Templates
from skene_dagster.delivery.providers import registry
from skene_dagster.documents import together
from skene_dagster.errors import DocumentError, LoopInvalid, SettingsError
from skene_dagster.loops.all_loops import AllLoops
from skene_dagster.loops.files.loaders import Loaded, load_folder
from skene_dagster.loops.plan import LoopPlan
from skene_dagster.loops.planning.goals import plan_all_loops
from skene_dagster.loops.planning.loop import plan_loop
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.loops.planning.user_tests import plan_user_tests
from skene_dagster.settings import FILE, Settings, read_settings


@dataclass(frozen=True)
class Broken:
    """A file without a loop that can run, and why."""

    file: str
    """The file as it is shown to its author, relative to the project."""
    stem: str
    """The file's name without its last ending."""
    loop: str | None
    """The loop's name, if the file can be read that far."""
    error: DocumentError

    @staticmethod
    def of(file: str, loop: str | None, error: DocumentError) -> "Broken":
        """Say that a file is broken."""
        return Broken(file, PurePath(file).stem, loop, error)


@dataclass(frozen=True)
class Project:
    """What the loops folder holds, in the order of its files."""

    loops: tuple[LoopPlan, ...]
    broken: tuple[Broken, ...]
    all_loops: AllLoops = field(default_factory=AllLoops)
    """What is measured of all of them together."""


def load_project(settings: Settings) -> Project:
    """Load and plan every loop file and check its templates; an error in a file becomes a `Broken` and hides no other.

    Raises:
        SettingsError: skene.yaml, or the environment, is at fault, not a loop.
    """
    with boundary.around("environment"):
        registry.check(settings)
    try:
        files = load_folder(settings.loops, settings.root)
    except DocumentError as error:
        shown = str(error.place.file) if error.place else settings.loops.name
        return Project((), (Broken.of(shown, None, error),))

    with boundary.around(FILE):
        document = read_settings(settings.root)
        plan_user_tests(settings, document)
        plan_usage(settings, document)
        all_loops = plan_all_loops(settings, document)
    templates = Templates(settings.templates, settings.root)
    names = Counter(_name(loaded) for loaded in files)
    loops: list[LoopPlan] = []
    broken: list[Broken] = []
    for loaded in files:
        name = _name(loaded)
        try:
            with boundary.around(loaded.file):
                plan = _plan(loaded, settings, templates)
            if names[name] > 1:
                raise _one_of_several(loaded, files)
        except SettingsError:
            raise
        except DocumentError as error:
            broken.append(Broken.of(loaded.file, name, error))
        else:
            loops.append(plan)
    return Project(tuple(loops), tuple(broken), all_loops)


def _name(loaded: Loaded) -> str | None:
    """Say what the file's loop is called, as far as the file can be read."""
    said = loaded.document.data if loaded.document is not None else None
    name = (said.get("name") or said.get("type")) if isinstance(said, dict) else None
    return name if isinstance(name, str) else None


def _plan(loaded: Loaded, settings: Settings, templates: Templates) -> LoopPlan:
    if loaded.error is not None:
        raise loaded.error
    assert loaded.loop is not None
    assert loaded.document is not None
    plan = plan_loop(loaded.loop, loaded.document, settings)
    errors = [
        error
        for step in plan.steps
        if step.email is not None
        for error in templates.check(plan, step, settings.sender_of(step.email.topic, step.email.sender))
    ]
    if errors:
        raise together(errors)
    return plan


def _one_of_several(loaded: Loaded, files: list[Loaded]) -> LoopInvalid:
    name = _name(loaded)
    others = [other.file for other in files if other is not loaded and _name(other) == name]
    assert loaded.document is not None
    return LoopInvalid(
        f"There is another loop named {name!r}, in {' and '.join(others)}.",
        advice="The ledger identifies a loop by its name: give each its own 'name'.",
        place=loaded.document.place(("name" if "name" in loaded.document.data else "type",)),
        code=Code.NAME,
    )
