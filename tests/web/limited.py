"""What the processes of web_world.py do: `skene-dagster serve`, as it is or with limits that a test can reach."""

import os
import resource
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import forked

from skene_dagster.behaviour.events import open_journal
from skene_dagster.settings import load
from skene_dagster.web import serving
from skene_dagster.web.events.api import events_api
from skene_dagster.web.limits import Limits
from skene_dagster.web.pages.keyring import open_pages
from skene_dagster.web.pages.routes import pages
from skene_dagster.web.webhooks import webhooks_of


def serve(*arguments: str) -> None:
    """Do what the command does; its warnings are errors."""
    warnings.simplefilter("error")
    forked.skene_dagster("serve", *arguments)


def serve_limited(limits: Mapping[str, Any], files: float | None = None) -> None:
    """Serve with other limits than the product's, and so few open files."""
    warnings.simplefilter("error")
    if files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    settings = load(Path(os.environ["SKENE_PROJECT"]))
    journal = open_journal(settings)
    engine, signer = open_pages(settings)
    listener = serving.listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listener.getsockname()[1]} ", flush=True)
    parts = [
        events_api(journal, write_key=settings.write_key),
        *webhooks_of(settings),
        pages(engine, signer, settings),
    ]
    serving.run(listener, parts, Limits(**limits))
