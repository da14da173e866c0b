"""Which features of TiDB a statement uses, by what TiDB's statement summary keeps of it (8.5, taken down 2026-11)."""

from datetime import datetime

import pytest

from skene_dagster.loops.tidb_features import FEATURES, Statement, features_of
from skene_dagster.tracking.collector import _id

USES = [
    ("CreateTable", "create table `t` ( `id` bigint primary key auto_random , `a` int )", {"auto_random"}),
    ("Set", "set @@tidb_dml_type = ?", {"bulk_dml"}),
    ("AlterTable", "alter table `app` . `u` cache", {"cached_table"}),
    ("CreateTable", "create table `u` ( `a` int check ( `a` > ? ) )", {"check_constraint"}),
    ("Select", "with `x` as ( select `a` from `u` ) select * from `x`", {"cte"}),
    (
        "Select",
        "with recursive `r` ( `n` ) as ( select ? union all select `n` + ? from `r` ) select * from `r`",
        {"cte"},
    ),
    ("Insert", "insert into `u` with `x` as ( select ? as `id` ) select * from `x`", {"cte"}),
    ("ExplainAnalyzeSQL", "explain analyze select * from `u`", {"explain_analyze"}),
    ("other", "flashback table `u` to `u2`", {"flashback"}),
    ("other", "recover table `u`", {"flashback"}),
    (
        "AlterTable",
        "alter table `u` add constraint `fk` foreign key ( `id` ) references `t` ( `id` )",
        {"foreign_key"},
    ),
    ("CreateTable", "create table `u` ( `d` int generated always as ( `a` + ? ) stored )", {"generated_column"}),
    ("ImportInto", "import into `p` from ?", {"import_into"}),
    ("LoadData", "load data local infile ? into table `p`", {"import_into"}),
    ("CreateTable", "create table `t` ( `b` json )", {"json"}),
    ("Select", "select `json_extract` ( `b` , ? ) from `t` where `a` > ?", {"json"}),
    (
        "CreateTable",
        "create table `mv` ( `j` json , index `m` ( ( cast ( `j`  ? as char ( ? ) array ) ) ) )",
        {"json", "multi_valued_index"},
    ),
    (
        "AlterTable",
        "alter table `mv` add index `m` ( ( cast ( `j` as unsigned array ) ) )",
        {"multi_valued_index"},
    ),
    ("NTDML-Delete", "select `id` from `app` . `u` where ( `id` > ? ) order by `id`", {"non_transactional_dml"}),
    (
        "CreateTable",
        "create table `p` ( `y` int ) partition by range ( `y` ) ( partition `p0` values less than ( ? ) )",
        {"partitioning"},
    ),
    ("CreateTable", "create table `pk` ( `id` int ) partition by key ( `id` ) partitions ?", {"partitioning"}),
    ("other", "create placement policy `pp` followers = ?", {"placement_policy"}),
    ("AlterTable", "alter table `u` placement policy = `pp`", {"placement_policy"}),
    ("other", "set resource group `rg1`", {"resource_group"}),
    ("Savepoint", "savepoint `sp`", {"savepoint"}),
    ("other", "create sequence `s`", {"sequence"}),
    ("Select", "select nextval ( `s` )", {"sequence"}),
    ("Select", "select next value for `s`", {"sequence"}),
    ("CreateBinding", "create global binding for select * from `u` using select * from `u`", {"sql_binding"}),
    ("Select", "select * from `u` as of timestamp now ( ) - interval ? second", {"stale_read"}),
    ("Begin", "start transaction read only as of timestamp now ( ) - interval ? second", {"stale_read"}),
    ("Set", "set @@tidb_read_staleness = ?", {"stale_read"}),
    ("CreateTable", "create global temporary table `gt` ( `id` int ) on commit delete rows", {"temporary_table"}),
    ("AlterTable", "alter table `u` set tiflash replica ?", {"tiflash_replica"}),
    ("other", "alter database `app` set tiflash replica ?", {"tiflash_replica"}),
    ("CreateTable", "create table `t` ( `c` datetime ) ttl = `c` + interval ? day", {"ttl"}),
    ("CreateTable", "create table `vec2` ( `id` int primary key , `e` vector ( ? ) )", {"vector_search"}),
    ("Select", "select `id` from `vec2` order by `vec_cosine_distance` ( `e` , ? ) limit ?", {"vector_search"}),
    ("CreateView", "create view `v` as select `a` from `u`", {"view"}),
    ("Select", "select `a` , `row_number` ( ) `over` ( order by `a` ) from `u`", {"window_function"}),
    ("Select", "select sum ( `a` ) `over` `w` from `u` window `w` as ( partition by `b` )", {"window_function"}),
]

NO_USE = [
    (
        "Select",
        "select * from `u` join `u` `x` on `x` . `id` = `u` . `id` where `x` . `a` in ( ... ) group by `u` . `id`",
    ),
    ("Select", "select `ttl` from ( select ? as `ttl` ) `z` where `ttl` = ?"),
    ("Select", "select `json` , `vector` , `cache` , `over` from `sequence` where `view` = ?"),
    ("Select", "select cast ( `a` as char ) , `array` from `t`"),
    ("Select", "select * from `u` where `a` = ? for update"),
    ("Insert", "insert into `u` ( `id` , `a` ) values ( ... ) on duplicate key update `a` = ?"),
    ("Update", "update `u` set `a` = ? where `b` = ?"),
    ("Delete", "delete from `partition` where `foreign` = ?"),
    ("CreateTable", "create table `u` ( `id` int primary key , `a` int , key ( `a` ) )"),
    ("AlterTable", "alter table `u` nocache"),
    ("AlterTable", "alter table `cache` add column `ttl` int"),
    ("CreateIndex", "create index `i` on `u2` ( `a` )"),
    ("Begin", "start transaction"),
    ("Set", "set names `utf8mb4`"),
    ("Show", "show create view `v`"),
    ("ExplainSQL", "explain select ?"),
]


@pytest.mark.parametrize(("kind", "text", "features"), USES, ids=[text[:60] for _, text, _ in USES])
def test_a_statement_that_uses_a_feature_is_recognized(kind: str, text: str, features: set[str]) -> None:
    assert features_of(Statement(kind, text)) == features


@pytest.mark.parametrize(("kind", "text"), NO_USE, ids=[text[:60] for _, text in NO_USE])
def test_an_ordinary_statement_uses_none(kind: str, text: str) -> None:
    assert features_of(Statement(kind, text)) == set()


def test_hints_and_plans_are_recognized_where_the_text_has_lost_them() -> None:
    hinted = Statement("Select", "select * from `u`", sample="select /*+ read_from_storage(tiflash[u]) */ * from u")
    columnar = Statement("Select", "select * from `u`", plan="TableReader\n  ExchangeSender  mpp[tiflash]")
    merged = Statement("Select", "select * from `u`", plan="\tIndexMerge_10\troot")

    assert features_of(hinted) == {"optimizer_hint"}
    assert features_of(columnar) == {"tiflash_read"}
    assert features_of(merged) == {"index_merge"}


def test_each_feature_is_recognized_in_some_statement() -> None:
    shown = {name for _, _, names in USES for name in names} | {"optimizer_hint", "tiflash_read", "index_merge"}

    assert shown == set(FEATURES)


def test_one_use_in_half_an_hour_is_one_event() -> None:
    first, again, later = (_id(1, "TTL", datetime(2026, 3, 2, 10, minute)) for minute in (1, 29, 30))

    assert first == again
    assert first != later
