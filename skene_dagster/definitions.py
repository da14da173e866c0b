"""The code location: the project in SKENE_PROJECT or the working directory, as Dagster definitions.

Importing it reads files and opens no connection. It always loads; if a file is wrong, it shows the file's error.
"""

import os
from pathlib import Path

from skene_dagster.compiler import compile_folder

defs = compile_folder(Path(os.environ.get("SKENE_PROJECT") or Path.cwd()).resolve())
