"""The example project, which travels in the package: what the demo writes where there is no project yet."""

import shutil
from pathlib import Path

from skene_dagster.settings import FILE

_EXAMPLE = Path(__file__).with_name("example")
"""In a clone these are links to the files at its top; a wheel has the files themselves."""

_FOR_EDITORS = "# yaml-language-server:"
"""Where a clone has its schemas; those of an installed package are not in the project."""


def is_free(root: Path) -> bool:
    """Whether a folder holds nothing but hidden files and virtual environments."""
    return all(one.name.startswith(".") or (one / "pyvenv.cfg").is_file() for one in root.iterdir())


def write_example(root: Path) -> None:
    """Write the example project into a folder that `is_free`.

    Raises:
        OSError: it cannot be written.
    """
    for folder in ("loops", "templates"):
        shutil.copytree(_EXAMPLE / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("workspace.yaml", "dagster.yaml", FILE):
        shutil.copyfile(_EXAMPLE / name, root / name)
    for file in (root / FILE, *(root / "loops").glob("*.yaml")):
        first, _, rest = file.read_text(encoding="utf-8").partition("\n")
        if first.startswith(_FOR_EDITORS):
            file.write_text(rest, encoding="utf-8")
