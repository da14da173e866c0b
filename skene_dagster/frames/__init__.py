"""What the skene_* tables know, as pandas DataFrames: for notebooks, and for questions that no report answers.

    from skene_dagster import frames

    sends = frames.sends("win_back", since="2026-11-01")

Every function reads, and writes nothing. All take the same arguments beside their own:

- `users`: only these users, by their keys.
- `columns`: only these columns, in this order.
- `chunk_size`: return an iterator of frames with at most so many rows, in place of one frame with all: what does not
  fit into memory is read in parts.
- `project`: the folder with skene.yaml. Default: the current folder. The database is that of SKENE_DATABASE_URL.

What they leave out, the database does not read. Moments are UTC (`datetime64[us, UTC]`), numbers nullable (`Int64`),
words of a closed list categories, the same in each chunk, and other texts `string`; what is not known, or not over yet,
is missing (NaT, <NA>). A step that was renamed has the name that it had first.

All raise a ValueError for an argument that means nothing, a SettingsError where skene.yaml or a variable is wrong, a
SchemaOutdated where the tables are not there or are of another release, and a StoreError where the database refuses.
"""

from skene_dagster.frames.behaviour import adoption, levels
from skene_dagster.frames.measuring import outcomes
from skene_dagster.frames.sending import members, receipts, sends

__all__ = ["adoption", "levels", "members", "outcomes", "receipts", "sends"]
