"""TiDB's own features, and how a statement shows that it uses one.

Statements are in the form of TiDB's statement summary: normalized, with names in backticks and `?` for values
(`create table `t` ( … ) ttl = `at` + interval ? day`). Functions that are no reserved words stand in backticks too.
"""

import re
from dataclasses import dataclass

PREFIX = "tidb:"
"""How the names of the events begin that say: this user used this feature of TiDB."""


@dataclass(frozen=True)
class Statement:
    """A statement as the summary keeps it."""

    kind: str
    """Its type, in the summary's words: `Select`, `CreateTable`, `NTDML-Delete`."""
    text: str
    """Normalized; hints and comments are gone."""
    sample: str = ""
    """One of those that were sent, as it was."""
    plan: str = ""
    """Of one of them, as EXPLAIN shows it."""


@dataclass(frozen=True)
class TidbFeature:
    """A feature; a statement uses it where all that is given here is found in it."""

    title: str
    text: str = ""
    """A regular expression for the normalized text."""
    kind: str = ""
    """One for the whole type."""
    sample: str = ""
    plan: str = ""

    def is_used_by(self, statement: Statement) -> bool:
        """Whether a statement uses it."""
        return (
            (not self.kind or re.fullmatch(self.kind, statement.kind) is not None)
            and re.search(self.text, statement.text) is not None
            and re.search(self.sample, statement.sample) is not None
            and re.search(self.plan, statement.plan) is not None
        )


_TABLE = "CreateTable|AlterTable"
_NAME = r"`[^`]+`( \. `[^`]+`)?"

FEATURES = {
    "auto_random": TidbFeature("AUTO_RANDOM keys", r"\bauto_random\b", kind=_TABLE),
    "bulk_dml": TidbFeature("Bulk DML", r"\btidb_dml_type\b", kind="Set"),
    "cached_table": TidbFeature("Cached tables", rf"^alter table {_NAME} cache\b", kind="AlterTable"),
    "check_constraint": TidbFeature("CHECK constraints", r"\bcheck \(", kind=_TABLE),
    "cte": TidbFeature("Common table expressions", r"\bwith (recursive )?`[^`]+` (\( [^()]* \) )?as \("),
    "explain_analyze": TidbFeature("EXPLAIN ANALYZE", kind="ExplainAnalyzeSQL"),
    "flashback": TidbFeature("FLASHBACK and RECOVER", r"^(flashback|recover) (cluster|database|schema|table)\b"),
    "foreign_key": TidbFeature("Foreign keys", r"\bforeign key\b", kind=_TABLE),
    "generated_column": TidbFeature("Generated columns", r"\bgenerated always as \(", kind=_TABLE),
    "import_into": TidbFeature("IMPORT INTO and LOAD DATA", r"^(import into|load data) "),
    "index_merge": TidbFeature("Index merge", plan=r"\bIndexMerge"),
    "json": TidbFeature("JSON", r"`json_\w+` \(|` json\b"),
    "multi_valued_index": TidbFeature("Multi-valued indexes", r"\bcast \( .* as [^()]*(\( [^()]* \) )?array \)"),
    "non_transactional_dml": TidbFeature("Non-transactional DML (BATCH)", kind="NTDML-.*"),
    "optimizer_hint": TidbFeature("Optimizer hints", sample=r"/\*\+"),
    "partitioning": TidbFeature("Partitioned tables", r"\bpartition by (linear )?(range|list|hash|key)\b", kind=_TABLE),
    "placement_policy": TidbFeature("Placement rules", r"\bplacement policy\b"),
    "resource_group": TidbFeature("Resource control", r"\bresource group\b"),
    "savepoint": TidbFeature("Savepoints", kind="Savepoint"),
    "sequence": TidbFeature("Sequences", r"^(create|alter) sequence\b|\bnextval \(|\bnext value for\b"),
    "sql_binding": TidbFeature("SQL bindings", r"^create ((global|session) )?binding\b"),
    "stale_read": TidbFeature("Stale reads", r"\bas of timestamp\b|\btidb_(read_staleness|snapshot)\b"),
    "temporary_table": TidbFeature("Temporary tables", r"^create (global )?temporary table\b"),
    "tiflash_read": TidbFeature("Reads by TiFlash", plan=r"\[tiflash\]"),
    "tiflash_replica": TidbFeature("TiFlash replicas", r"\bset tiflash replica\b"),
    "ttl": TidbFeature("Time to live (TTL)", r"\bttl = `", kind=_TABLE),
    "vector_search": TidbFeature("Vector search", r"\bvector \(|`vec_\w+` \("),
    "view": TidbFeature("Views", kind="CreateView"),
    "window_function": TidbFeature("Window functions", r"\) `over` (\(|`)"),
}
"""By the name that follows `tidb:` in the name of the event."""


def features_of(statement: Statement) -> frozenset[str]:
    """Name the features that a statement uses."""
    return frozenset(name for name, feature in FEATURES.items() if feature.is_used_by(statement))
