"""The group of commands: each module is imported when its command is called, and every error becomes an exit code."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from skene_dagster.cli.screen import open_screen
from skene_dagster.errors import DocumentError, SkeneError

WRONG_FILES = 1
USAGE = 2
REFUSED = 3
LOOK = 4

EXIT_CODES = """\
\b
Exit codes:
  0  all is well
  1  a file of the project, or a SKENE_* variable, is wrong
  2  the command was called wrongly
  3  the database or the provider cannot be reached, or refused
  4  everything works, but a person should look (init, status, doctor,
     preview, suppressions lift, suppressions import, users erase)
"""

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "init": "Propose a project from the product's database, or from its code.",
        "validate": "Check loops, templates and settings; with --database, their SQL too.",
        "preview": "Show who would get what, and why. Writes nothing, sends nothing.",
        "why": "Say why one user was mailed, or not, and what comes next.",
        "status": "Report how each loop is doing; ends with 4 if a person should look.",
        "doctor": "Check what a run needs: rights, encryption, clocks, the sender's domain.",
        "pause": "Stop a loop, or all loops, from sending until resume.",
        "resume": "End a pause.",
        "cancel": "Drop the emails that are reserved for a loop now.",
        "approve": "Allow a large first wave to be sent.",
        "accept": "Allow a segment to collapse or explode at its next refresh.",
        "reconsider": "Decide again about users who were skipped.",
        "doubts": "List the emails that may or may not have been sent; settle them.",
        "recover": "Update a ledger restored from a backup from the provider's records.",
        "suppressions": "Show, extend and shorten the list of people whom some email may not reach.",
        "users": "Export what we hold of one user, or erase it.",
        "keys": "List the keys that sign unsubscribe links; draw a new one.",
        "diff": "Show what changed loops do: who comes in, who goes out, what is sent.",
        "backtest": "Replay a loop over past days: whom it would have mailed.",
        "report": "Write a page: what the loops did, and whether it worked.",
        "holdout": "List who is held out of loops; draw them anew.",
        "send-test": "Send one user's email to yourself, without recording it.",
        "adopt": "Assign the database to this SKENE_ENV.",
        "demo": "Run the six example loops on a small product, day by day.",
        "serve": "Receive what users do over HTTP, in the format of Segment's libraries.",
        "migrate": "Upgrade a server's skene_* tables to this release.",
        "schema": "Print the JSON Schema of loop files, or the product's columns.",
        "prompt": "Print the task that installs loops, for a coding agent.",
    }
)


FOLDERS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "init": ["init"],
        "validate": ["validate"],
        "doctor": ["doctor"],
        "why": ["why"],
        "inspect": ["preview", "status", "send-test"],
        "consent": ["keys", "suppressions"],
        "users": ["users"],
        "measure": ["backtest", "diff", "holdout", "report"],
        "control": ["accept", "adopt", "approve", "cancel", "doubts", "pause", "reconsider", "recover", "resume"],
    }
)
"""Where commands are that have a folder; the others stand beside this file."""


class Commands(click.Group):
    """Commands that are imported one at a time: `schema` does not pay for a database."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in SUMMARIES:
            return None
        name = cmd_name.replace("-", "_")
        folder = next((f"{folder}." for folder, names in FOLDERS.items() if cmd_name in names), "")
        command: click.Command = getattr(import_module(f"skene_dagster.cli.{folder}{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print what a user can fix without a stack trace, and let anything else show one."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal that is not UTF-8 gets a question mark, not an exception.
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _wrapped(error) from None
        except SkeneError as error:
            open_screen(stderr=True).error(error)
            ctx.exit(exit_code(error))


def _wrapped(error: click.UsageError) -> click.UsageError:
    """Break the lines of what click leaves as one."""
    before = "Error: "
    lines = textwrap.wrap(before + error.format_message(), 80, break_long_words=False, break_on_hyphens=False)
    return click.UsageError("\n".join(lines).removeprefix(before), ctx=error.ctx)


def exit_code(error: SkeneError) -> int:
    """Say how the command ends after this error."""
    return WRONG_FILES if isinstance(error, DocumentError) else REFUSED
