"""The boundary around each file: an unexpected failure in it becomes an error of ours, and the other files go on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from skene_dagster.errors import InternalError, Place, SkeneError

_log = logging.getLogger(__name__)


@contextmanager
def around(file: str) -> Iterator[None]:
    """Turn any exception that is not a SkeneError into an InternalError of this file. Its stack trace goes to the log.

    Raises:
        InternalError: in place of anything but what ends the process.
    """
    try:
        yield
    except (SkeneError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as bad:
        _log.debug("%s: failed", file, exc_info=True)
        # Its text may quote anything; its kind cannot.
        raise InternalError(
            f"skene-dagster failed on this file ({type(bad).__name__}): the bug is in skene-dagster, not in the file.",
            advice="Please report it, with the file and the output of `skene-dagster --traceback validate`.",
            place=Place(file),
        ) from bad
