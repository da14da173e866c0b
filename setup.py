"""What pyproject.toml cannot say: the README as the package's page shows it, where a path of a clone leads nowhere."""

import re
from pathlib import Path

from setuptools import setup

CLONE = Path(__file__).parent


def page_of(readme: str, source: str | None) -> str:
    """Have links and pictures lead to the repository, or, as long as it has no public address, leave them out.

    Args:
        readme: Markdown whose links are paths of this clone.
        source: the repository with the version, such as `https://example.com/us/project/blob/v1.0.0`.
    """
    path = r"\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)"
    if source is None:
        return re.sub(rf"(?<!!)\[([^\]]*){path}", r"\1", re.sub(rf"!\[[^\]]*{path}\n*", "", readme))
    readme = re.sub(rf"(!\[[^\]]*){path}", rf"\1]({source}/\2?raw=true)", readme)
    return re.sub(path, rf"]({source}/\1\2)", readme)


def source() -> str | None:
    """Read the repository's address from pyproject.toml; Python 3.10 has no tomllib."""
    project = (CLONE / "pyproject.toml").read_text(encoding="utf-8")
    address = re.search(r'^Source = "(.+)"$', project, re.MULTILINE)
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    return f"{address[1]}/blob/v{version[1]}" if address and version else None


if __name__ == "__main__":
    setup(
        long_description=page_of((CLONE / "README.md").read_text(encoding="utf-8"), source()),
        long_description_content_type="text/markdown",
    )
