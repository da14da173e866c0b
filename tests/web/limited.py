"""`skene-dagster serve` with limits that a test can reach: python limited.py '{"requests": 2}'."""

import json
import os
import sys
from pathlib import Path

from skene_dagster.behaviour.events import open_journal
from skene_dagster.settings import load
from skene_dagster.web import serving
from skene_dagster.web.events.api import events_api
from skene_dagster.web.limits import Limits
from skene_dagster.web.pages.keyring import open_pages
from skene_dagster.web.pages.routes import pages
from skene_dagster.web.webhooks import webhooks_of


def main() -> None:
    settings = load(Path(os.environ["SKENE_PROJECT"]))
    journal = open_journal(settings)
    engine, signer = open_pages(settings)
    listener = serving.listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listener.getsockname()[1]} ", flush=True)
    limits = Limits(**json.loads(sys.argv[1]))
    parts = [
        events_api(journal, write_key=settings.write_key),
        *webhooks_of(settings),
        pages(engine, signer, settings),
    ]
    serving.run(listener, parts, limits)


if __name__ == "__main__":
    main()
