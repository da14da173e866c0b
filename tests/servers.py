"""Servers for a run of the tests: given by a variable, or started here on 127.0.0.1 and stopped at the end."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import make_url

START_SECONDS = 60
WHERE_SERVERS_ARE = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


class Absent(Exception):
    """This machine has no such server."""


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Yield the URL of a MariaDB server, without a database."""
    if given := os.environ.get("SKENE_TEST_MARIADB_URL"):
        yield given
        return
    command, port = _prepared_mariadb(folder, flush=0)
    with running(command, folder, lambda: _answers(port)):
        yield f"mysql+pymysql://root@127.0.0.1:{port}"


class MortalMariadb:
    """A MariaDB that a test kills and starts again on its data. What it has committed survives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command, self._port = _prepared_mariadb(folder, flush=1)
        self._process = self._start()
        self.url = f"mysql+pymysql://root@127.0.0.1:{self._port}/skene"
        with pymysql.connect(host="127.0.0.1", port=self._port, user="root").cursor() as cursor:
            cursor.execute("CREATE DATABASE skene")

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop it until the end of the block: it takes connections, and says nothing."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with (self._folder / "output").open("a", encoding="utf-8") as output:
            process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT, cwd=self._folder)
        _wait_for(process, self._folder, lambda: _answers(self._port))
        return process


def _prepared_mariadb(folder: Path, flush: int) -> tuple[list[str], int]:
    """Make the data folder of a new server; return the command that starts it, and its port."""
    server = _program("mariadbd")
    install = _program("mariadb-install-db")
    if server is None or install is None:
        raise Absent("there is no mariadbd on the PATH (Debian: apt install mariadb-server)")
    user = ["--user=root"] if os.geteuid() == 0 else []
    data = [f"--datadir={folder / 'data'}", "--no-defaults"]
    subprocess.run(
        [install, *reversed(data), "--auth-root-authentication-method=normal", "--skip-test-db", *user],
        check=True,
        capture_output=True,
        # MariaDB, 2026-11: two that are set up at once take each other's temporary tables away in a common /tmp.
        env={**os.environ, "TMPDIR": str(folder)},
    )
    port = free_port()
    options = [
        *reversed(data),
        *user,
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--socket={folder / 'socket'}",
        f"--pid-file={folder / 'pid'}",
        f"--tmpdir={folder}",
        "--skip-log-bin",
        # 0: nothing has to survive a power cut.
        f"--innodb-flush-log-at-trx-commit={flush}",
        "--innodb-buffer-pool-size=64M",
        # Two fifths of what making and dropping the tables of a test costs: a file for each, and statistics kept in
        # tables.
        "--innodb-file-per-table=0",
        "--innodb-stats-persistent=0",
        # Pages are torn where a machine loses its power, not where a process is killed.
        "--innodb-doublewrite=0",
    ]
    return [server, *options], port


@contextmanager
def tidb(folder: Path) -> Iterator[str]:
    """Yield the URL of a TiDB server on its embedded store, without a database."""
    if given := os.environ.get("SKENE_TEST_TIDB_URL"):
        yield given
        return
    server = _program("tidb-server")
    if server is None:
        raise Absent("there is no tidb-server on the PATH, and SKENE_TEST_TIDB_URL is not set")
    port, status = free_port(), free_port()
    options = ["-store", "unistore", "-path", str(folder / "store"), "-temp-dir", str(folder / "temp")]
    options += ["-host", "127.0.0.1", "-P", str(port), "-status", str(status), "-socket", ""]
    options += ["-log-file", str(folder / "log")]
    with running([server, *options], folder, lambda: _answers(port)):
        yield f"mysql+pymysql://root@127.0.0.1:{port}"


@contextmanager
def new_database(server_url: str, name: str) -> Iterator[str]:
    """Create an empty database on a server, yield its URL, and drop it."""
    url = make_url(server_url)
    connection = pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        autocommit=True,
        # To read the machine's certificates takes longer than all that is asked here.
        ssl_disabled=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            cursor.execute(f"DROP DATABASE {name}")


@contextmanager
def running(command: list[str], folder: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """Run a server from when it answers; what it says is in the folder."""
    with (folder / "output").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            _wait_for(process, folder, answers)
            yield
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def read_certificates_once(patch: pytest.MonkeyPatch) -> None:
    """Let connections that verify nobody share a context of TLS: to make one reads all certificates of the machine."""
    make: Callable[..., ssl.SSLContext] = vars(pymysql.connections.Connection)["_create_ssl_ctx"]
    shared: list[ssl.SSLContext] = []

    def context(connection: object, options: object) -> ssl.SSLContext:
        if options:
            return make(connection, options)
        if not shared:
            shared.append(make(connection, {}))
        return shared[0]

    patch.setattr(pymysql.connections.Connection, "_create_ssl_ctx", context)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Find a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root").close()
    except pymysql.err.OperationalError:
        return False
    return True


def _wait_for(process: subprocess.Popen[bytes], folder: Path, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            said = (folder / "output").read_text(encoding="utf-8")[-2000:]
            raise RuntimeError(f"{process.args!r} does not answer:\n{said}")
        time.sleep(0.02)


def _program(name: str) -> str | None:
    return shutil.which(name, path=WHERE_SERVERS_ARE)
