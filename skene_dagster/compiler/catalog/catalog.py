"""The assets of a project as Dagster shows them: all are described here first, so that each can be given other names.

A project has a code location of its own, or shares one with definitions that are not ours. There its assets may need a
prefix, other groups and owners, and its lineage starts at assets that others make.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import dagster as dg

from skene_dagster.compiler.names import table_of
from skene_dagster.errors import DocumentError

_log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["segment", "sends", "entitlements", "outcomes", "report", "usage", "broken", "table"]


@dataclass(frozen=True)
class About:
    """What an asset of ours shows; a name is empty where it belongs to no loop, or to no step."""

    kind: Kind
    loop: str = ""
    step: str = ""


Translate: TypeAlias = Callable[[dg.AssetSpec, About], dg.AssetSpec]
"""Returns an asset with another key, group, owners, tags, metadata, kinds or description, or with more dependencies."""


@dataclass(frozen=True)
class Mount:
    """Where a project's definitions stand; by default, in a code location of their own."""

    key_prefix: Sequence[str] = ()
    """Stands before the keys of all assets of ours."""
    job_prefix: str = ""
    """Stands before the names of each loop's job, schedules and sensors."""
    tables: Mapping[str, dg.AssetKey] = field(default_factory=dict)
    """The assets of others that make the product's tables, by the table's name in conditions, in lower case."""
    translate: Translate | None = None


ALONE = Mount()


class Catalog:
    """The assets of ours, by the keys that they have when nobody names them otherwise."""

    def __init__(self, mount: Mount = ALONE) -> None:
        """Begin without assets."""
        self._mount = mount
        self._plain: dict[dg.AssetKey, dg.AssetSpec] = {}
        self._shown: dict[dg.AssetKey, dg.AssetSpec] = {}

    def add(self, spec: dg.AssetSpec, about: About) -> None:
        """Describe an asset with our own keys; what it depends on may be described later."""
        shown = (
            spec if about.kind == "table" else spec.replace_attributes(key=spec.key.with_prefix(self._mount.key_prefix))
        )
        if self._mount.translate is not None:
            shown = _translated(self._mount.translate, shown, about)
        self._plain[spec.key], self._shown[spec.key] = spec, shown

    def has(self, key: dg.AssetKey) -> bool:
        """Whether an asset is described."""
        return key in self._shown

    def is_theirs(self, key: dg.AssetKey) -> bool:
        """Whether a source table is made by an asset of others."""
        table = table_of(key)
        return table is not None and table.lower() in self._mount.tables

    def key(self, key: dg.AssetKey) -> dg.AssetKey:
        """Say which key an asset has in Dagster."""
        if key in self._shown:
            return self._shown[key].key
        table = table_of(key)
        return key if table is None else self._mount.tables.get(table.lower(), key)

    def keys(self, keys: Iterable[dg.AssetKey]) -> list[dg.AssetKey]:
        """Say which keys assets have in Dagster."""
        return [self.key(key) for key in keys]

    def spec(self, key: dg.AssetKey) -> dg.AssetSpec:
        """Return an asset as Dagster shows it. A translation adds dependencies; it takes none away."""
        shown = self._shown[key]
        named = {dep.asset_key for spec in (self._plain[key], shown) for dep in spec.deps}
        return shown.replace_attributes(deps=sorted(set(self.keys(named))))

    def job(self, loop: str) -> str:
        """Name a loop's job."""
        return f"{self._mount.job_prefix}{loop}"


def _translated(translate: Translate, spec: dg.AssetSpec, about: About) -> dg.AssetSpec:
    try:
        return translate(spec, about)
    except Exception as bad:
        _log.exception("`translate` failed.")
        raise DocumentError(
            f"`translate` failed on the asset {spec.key.to_user_string()} ({type(bad).__name__}): {bad}",
            advice="Mend that function, which your definitions give to skene_dagster; the log has its stack trace.",
        ) from bad


def as_arguments(spec: dg.AssetSpec) -> dict[str, Any]:
    """Say what an asset is called in the arguments of `graph_asset`, which takes no description as a whole.

    Dagster, 2026-11: its dependencies are the inputs of the graph alone, so a translation cannot add any.
    """
    return {
        "key": spec.key,
        "group_name": spec.group_name,
        "kinds": spec.kinds,
        "tags": {name: value for name, value in spec.tags.items() if not name.startswith("dagster/kind/")},
        "owners": spec.owners,
        "metadata": spec.metadata,
        "description": spec.description,
        "code_version": spec.code_version,
    }
