"""The code location that `dagster dev` serves in these tests: the product's own, whose processes die when told to.

A production setting for short leases would be there for tests only; so the module that Dagster loads shortens them, in
the code server, in each run's process and in each step's.
"""

import os
from pathlib import Path

import dagster as dg
from killed_at import IN_CHILDREN, ORDERS, follow_orders, shorten_leases

from skene_dagster import definitions

shorten_leases()
follow_orders(Path(os.environ["SKENE_PROJECT"], ORDERS))

defs = dg.Definitions.merge(
    definitions.defs,
    dg.Definitions(
        jobs=[
            dg.define_asset_job(
                IN_CHILDREN,
                selection=dg.AssetSelection.groups("retention"),
                executor_def=dg.multiprocess_executor,
                tags={"skene/loop": "retention"},
            )
        ]
    ),
)
"""The product's definitions, and its loop once more, each step of it in a process of its own."""
