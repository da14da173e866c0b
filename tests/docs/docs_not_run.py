"""What the pages show and these tests do not run: the one list, each with its reason."""

import re

NOT_RUN = {
    r"make (demo|dev)": "takes minutes, or does not end; tests/acceptance/test_demo.py runs the demo",
    r"make (setup|format|quick|test|lint|check)": "installs, changes the files, or is what runs this test",
    r"\. \.venv/bin/activate": "is of the clone; these tests run with what it activates",
    r"pip install skene-dagster": "installs; these tests run with what is installed",
    r"mkdir shop && cd shop": "makes the folder that the test of the tutorial has made",
    r"python3 -m venv .*": "is what these tests run with",
    r"export SKENE_DATABASE_URL=.*": "names a server that is not there",
    r"skene-dagster init": "asks on a terminal; tests/acceptance/test_init.py runs it, and what follows",
    r"mysql .*": "needs MySQL's client and a server; tests/acceptance/test_migrate.py executes what `--sql` prints",
    r"docker .*": "needs a container engine; tests/docs/test_deploy.py reads compose.yaml",
    r"dg .*": "needs a project of its own; tests/acceptance/test_mounted.py makes one, and runs them there",
    r"curl .*": "needs what serves HTTPS in front; tests/web sends the same request",
    r"SKENE_WRITE_KEY='.*' skene-dagster serve .*": "does not end; tests/web/test_serve.py starts it",
    r"docs/loop-format.md: yaml loops/quiet_workspaces.yaml": "tests/acceptance/test_quiet_workspaces.py runs it",
    r"docs/deploy.md: yaml values.yaml": "needs a Kubernetes cluster; what it says of Dagster is compared here",
    r"docs/tidb.md: sql": "needs a server; tests/acceptance/test_doctor.py executes the grants, and works with them",
    r"docs/deploy.md: sql": "needs a server; tests/web/test_public.py executes the grants, and works with them",
    r"docs/tracking.md: js": "needs Node and Segment's published package; tests/web runs its Python client",
}
"""Commands of `sh` blocks, and other blocks by page, kind and title, as patterns."""


def why_not_run(what: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, what)), None)
