"""The component `skene_dagster.components.SkeneLoops`, for projects of Dagster's `dg`.

Every `dg` command of an environment imports this module, and fails if that fails: what is heavy is imported later.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import BaseModel

if TYPE_CHECKING:
    from skene_dagster.compiler.catalog.catalog import About

_TYPE = "skene_dagster.components.SkeneLoops"


class Wanted(BaseModel):
    """What `dg scaffold defs skene_dagster.components.SkeneLoops` takes."""

    project: str | None = None
    """The folder with skene.yaml, as seen from the root of the Dagster project; by default, the component's own."""


class LoopsScaffolder(dg.Scaffolder[Wanted]):
    """Writes `defs.yaml`."""

    @classmethod
    def get_scaffold_params(cls) -> type[Wanted]:
        """Say what the command takes."""
        return Wanted

    def scaffold(self, request: dg.ScaffoldRequest[Wanted]) -> None:
        """Write it."""
        project = request.params.project
        scaffold_component(request, {"project": f"{{{{ context.project_root }}}}/{project}"} if project else {})


@dg.scaffold_with(LoopsScaffolder)
@dataclass
class SkeneLoops(dg.Component, dg.Resolvable):
    """Growth loops: a folder with skene.yaml, loops/ and templates/, as assets, jobs, schedules and sensors.

    The product's tables are looked for among the assets of the other components, by their metadata
    `dagster/table_name`: lineage starts there.
    """

    project: str | None = None
    """The folder; relative to the component's own, which it is by default."""
    key_prefix: list[str] = field(default_factory=list)
    """Stands before the keys of all assets."""
    job_prefix: str = "loops__"
    """Stands before the names of the loops' jobs, schedules and sensors."""
    tables: dict[str, dg.ResolvedAssetKey] = field(default_factory=dict)
    """Which asset makes a table of the product, where its metadata does not say so."""
    variables: dict[str, str] = field(default_factory=dict)
    """SKENE_… variables for this component, such as SKENE_DATABASE_URL: "{{ env('PRODUCT_URL') }}"; they win over
    those of the process."""
    translation: (
        Annotated[TranslationFn["About"], TranslationFnResolver["About"](lambda about: {"about": about})] | None
    ) = None
    """What assets are called: key, group_name, owners, tags, metadata, description, deps; `{{ about.loop }}`,
    `{{ about.step }}` and `{{ about.kind }}` say what an asset is about, `{{ spec }}` what it is called by itself."""

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Describe the component in Dagster's catalog."""
        return dg.ComponentTypeSpec(description=cls.__doc__, tags=["growth", "email"])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Read the folder."""
        from skene_dagster.mounting import build_definitions  # noqa: PLC0415

        siblings = [context.build_defs(path) for path in _siblings(context.path, context.defs_module_path)]
        return build_definitions(
            context.path / (self.project or "."),
            key_prefix=self.key_prefix,
            job_prefix=self.job_prefix,
            tables=self.tables,
            upstream=[spec for defs in siblings for spec in defs.resolve_all_asset_specs()],
            translate=self.translation,
            environ={**os.environ, **self.variables},
        )


def _siblings(own: Path, root: Path) -> Iterator[Path]:
    """List the other folders and files of definitions; not those where another component of this type is.

    Dagster, 2026-11: two components that each look at the other never end.
    """
    ours = own if own.is_dir() else own.parent
    folder = ours
    while folder != root and root in folder.parents:
        folder, before = folder.parent, folder
        for path in sorted(folder.iterdir()):
            if path != before and _is_definitions(path) and not _mentions_us(path):
                yield path


def _is_definitions(path: Path) -> bool:
    if path.name.startswith(("_", ".")):
        return False
    return path.is_dir() or path.suffix == ".py"


def _mentions_us(path: Path) -> bool:
    files = [path] if path.is_file() else [*path.rglob("*.yaml"), *path.rglob("*.py")]
    return any(_TYPE in file.read_text(encoding="utf-8", errors="replace") for file in files)
