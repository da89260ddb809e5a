"""bench.query_path and bench.stages: every stage of a way is measured, and the table has them all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench import query_path, stages
from bench.query_path import STAGES, WAYS, Way, table
from bench.scenarios import zone_text
from corepy.plugin import Outcome
from corepy.query import Query
from corepy.reply import Reply
from corepy.upstream import replaced

COMMON = {"socket": 1.0, "router": 2.0, "upstream": 3.0}
PLUGINS = {
    "whoami": {"whoami"}, "file": {"file"}, "cache hit": {"cache"}, "forward": {"forward"},
    "cache miss": {"cache", "forward"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_path, "CALLS", 100)
    monkeypatch.setattr(stages, "REPEAT", 1)


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_every_stage_of_a_way_is_measured(way: Way, tmp_path: Path) -> None:
    (tmp_path / "zone").write_text(zone_text(100))
    with replaced(stages.instant):
        found = asyncio.run(query_path.stages(way, COMMON, tmp_path / "zone"))
    expected = {"the client's socket", "Query", "listener and router", "finish", *PLUGINS[way.name]}
    assert set(found) == expected | ({"the upstream's socket"} if way.upstream else set())
    assert set(found) <= set(STAGES)
    assert all(found[name] > 0 for name in ("Query", "finish"))


def test_a_table_leaves_out_what_nobody_passes() -> None:
    text = table({"one": {"a": 1.234, "b": 2.0}, "two": {"a": 0.5}}, ["a", "b", "c"])
    assert text.splitlines() == [
        "| µs of CPU a query | one | two |",
        "| --- | --: | --: |",
        "| a | 1.23 | 0.50 |",
        "| b | 2.00 |  |",
    ]


def test_sockets_and_the_router_cost_something() -> None:
    assert stages.socket_cost() > 0
    assert stages.router_cost() > 0
    assert asyncio.run(stages.upstream_cost(200)) > 0


def test_what_has_to_wait_is_waited_for() -> None:
    async def late(query: Query) -> Reply:
        await asyncio.sleep(0)
        return Reply.build(query)

    def at_once(query: Query) -> Outcome:
        return Reply.build(query)

    async def both() -> tuple[float, float]:
        return await stages.cost_in_loop(late), await stages.cost_in_loop(at_once)

    slow, quick = asyncio.run(both())
    assert slow > quick > 0


def test_plugins_and_ways_to_write_one() -> None:
    assert set(asyncio.run(query_path.additions())) == set(query_path.PLUGINS) - {"nothing"}
    found = asyncio.run(query_path.kinds())
    assert set(query_path.KINDS) < set(found)
