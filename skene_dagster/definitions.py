"""The code location: the project in SKENE_PROJECT or the working directory, as Dagster definitions.

Importing it reads files and opens no connection. It always loads; if a file is wrong, it shows the file's error.
"""

import os
from pathlib import Path

import dagster as dg

from skene_dagster.compiler import compile_folder
from skene_dagster.compiler.retry_policy import EXECUTOR

# The executor is that of runs that belong to no job of ours: assets that somebody picks in the UI.
defs = dg.Definitions.merge(
    compile_folder(Path(os.environ.get("SKENE_PROJECT") or Path.cwd()).resolve()), dg.Definitions(executor=EXECUTOR)
)
