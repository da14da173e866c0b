"""One rollup, in this process, with what it took as JSON. Run by `benchmarks.rollup`.

python -m benchmarks.rollup_once FOLDER AS_OF      FOLDER has the skene.yaml, SKENE_DATABASE_URL names the database
"""

import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks import statements
from benchmarks.peak import peak
from skene_dagster.behaviour.rollup.roll_up import roll_up
from skene_dagster.loops.planning.usage import plan_usage
from skene_dagster.settings import load
from skene_dagster.store.engine import open_engine


def main(folder: str, moment: str) -> None:
    settings, as_of = load(Path(folder)), datetime.fromisoformat(moment)
    engine = open_engine(settings.database_url)
    started = time.perf_counter()

    def clock() -> datetime:
        return as_of + timedelta(seconds=time.perf_counter() - started)

    plan, users = plan_usage(settings), settings.users
    with statements.timed(engine) as spent:
        done = roll_up(engine, plan=plan, users=users, as_of=as_of, clock=clock, run_id="bench")
    took = time.perf_counter() - started
    told = {"seconds": took, "users": done.users, "peak": peak(), "statements": statements.longest(spent, 12)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
