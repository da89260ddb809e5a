"""Where the microseconds of a query go, stage by stage, and what a plugin adds: `python -m bench.query_path`.

Each stage is measured on its own (bench/stages.py), and the whole under the load of dnsperf, if that is there: the rest
is the event loop, caches of the processor that grow cold, and what could not be told apart. Figures are microseconds of
CPU a query; those of one run are to be compared, not those of two machines.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench import dnsperf
from bench.processes import running
from bench.scenarios import SCENARIOS, Scenario, zone_text
from bench.servers import Job, Server, installed
from bench.stages import (
    Chain,
    answered_at_once,
    cost,
    cost_in_loop,
    instant,
    names,
    query,
    router_cost,
    socket_cost,
    upstream_cost,
)  # fmt: skip
from corepy.address import Address
from corepy.deferred import after
from corepy.door import Door
from corepy.finish import finish
from corepy.log import Log, at_once
from corepy.plugin import Outcome, Plugin
from corepy.plugins.proxyproto import ProxyProto
from corepy.plugins.whoami import Whoami
from corepy.proxyproto import encode_v2
from corepy.query import Query
from corepy.reply import Reply
from corepy.testing.layout import free_port
from corepy.testing.messages import message
from corepy.upstream import replaced

CALLS: Final = 20_000


@dataclass(frozen=True)
class Way:
    """A Corefile, and which questions take which way through it."""

    name: str
    block: str
    scenario: Scenario
    upstream: bool = False
    """Whether each of the questions goes to an upstream."""


WAYS: Final = (
    Way("whoami", "whoami", SCENARIOS["static"]),
    Way("file", "file ZONE example.org", SCENARIOS["zone"]),
    Way("cache hit", "cache\n forward . 127.0.0.1:UPSTREAM", SCENARIOS["cache"]),
    Way("forward", "forward . 127.0.0.1:UPSTREAM", SCENARIOS["forward"], upstream=True),
    Way("cache miss", "cache\n forward . 127.0.0.1:UPSTREAM", SCENARIOS["miss"], upstream=True),
)
STAGES: Final = (
    "the client's socket", "Query", "listener and router", "file", "whoami", "cache", "forward",
    "the upstream's socket", "finish", "sum", "under load",
)  # fmt: skip
PLUGINS: Final = {
    "nothing": "", "errors": "errors", "log": "log", "prometheus": "prometheus 127.0.0.1:0", "metadata": "metadata",
    "acl": "acl {\n allow net 127.0.0.0/8\n block\n}", "loadbalance": "loadbalance",
    "rewrite (another name)": "rewrite name exact other.example.org www.example.org",
    "rewrite": "rewrite name suffix .org .net answer auto", "rrl": "rrl {\n responses-per-second 1000000\n}",
    "cookies (none brought)": "cookies",
}  # fmt: skip
"""In front of whoami: a line for each."""


async def stages(way: Way, common: dict[str, float], zone: Path) -> dict[str, float]:
    """The microseconds of each stage of a way that can be measured in this process."""
    chain = Chain(f".:53 {{\n {way.block.replace('UPSTREAM', '1').replace('ZONE', str(zone))}\n}}\n")
    await chain.start()
    salt = itertools.count()

    def inputs() -> Sequence[Query]:
        if way.scenario.unique:
            return [query(name) for name in names(CALLS, f"{next(salt)}-")]
        return [query(f"host{number}.example.org") for number in range(100)] * (CALLS // 100)

    for each in inputs():
        chain.listener.answer(each)
    replies = [(each, answered_at_once(chain.listener.answer(each))) for each in inputs()]
    found = {"the client's socket": common["socket"], "listener and router": common["router"]}
    wires = [each.wire for each in inputs()]
    found["Query"] = cost(lambda wire: Query(wire, replies[0][0].endpoint, b"", b""), lambda: wires)
    # What answers from what it has does not call the plugin behind it.
    own = dict(chain.own_cost(inputs))
    found |= {"cache": own["cache"] + own["forward"]} if way.name == "cache hit" else own
    found["finish"] = cost(lambda both: finish(*both), lambda: replies)
    if way.upstream:
        found["the upstream's socket"] = common["upstream"]
    await chain.stop()
    return found


def under_load(way: Way, folder: Path, upstream: int, seconds: float) -> float:
    """The microseconds of the whole server, kernel included, while dnsperf asks."""
    folder.mkdir()
    job = Job(way.scenario, folder, free_port(), upstream)
    block = way.block.replace("UPSTREAM", str(upstream)).replace("ZONE", str(job.write("zone", zone_text())))
    corefile = job.write("Corefile", f".:{job.port} {{\n {block}\n}}\n")
    with running([sys.executable, "-m", "corepy", "-conf", str(corefile)], job.port, folder, "host0.example.org") as it:
        best = float("inf")
        for turn in range(4):
            count = int(60_000 * seconds) if way.scenario.unique else way.scenario.names
            questions = dnsperf.write(way.scenario.questions(count, f"t{turn}"), folder / "questions")
            before = it.cpu()
            load = dnsperf.run(job.port, questions, seconds, once=way.scenario.unique)
            if turn:
                best = min(best, (it.cpu() - before) / load.answered)
    return best * 1e6


def table(columns: dict[str, dict[str, float]], rows: Sequence[str] = STAGES) -> str:
    """Markdown: a row for each stage, a column for each way; what a way does not pass is left empty."""
    lines = [f"| µs of CPU a query | {' | '.join(columns)} |", f"| --- |{' --: |' * len(columns)}"]
    for row in rows:
        cells = [f"{column[row]:.2f}" if row in column else "" for column in columns.values()]
        lines += [f"| {row} | {' | '.join(cells)} |"] * any(cells)
    return "\n".join(lines) + "\n"


# --- what a plugin adds ---


class _Sync(Plugin):
    """Passes queries on."""

    def serve(self, query: Query) -> Outcome:
        return self.next(query)


class _After(Plugin):
    """Looks at the reply, if need be later."""

    def serve(self, query: Query) -> Outcome:
        return after(self.next(query), lambda reply: reply)


class _Async(Plugin):
    """The same, as a coroutine."""

    async def serve(self, query: Query) -> Reply:
        return await self.next(query)


class _Records(Plugin):
    """Asks for the reply's records, and changes one."""

    def serve(self, query: Query) -> Outcome:
        return after(self.next(query), self._change)

    def _change(self, reply: Reply) -> Reply:
        edited = reply.edit()
        edited.record.ar[0].ttl = 5
        return edited


KINDS: Final[dict[str, type[Plugin]]] = {
    "def serve: return self.next(query)": _Sync,
    "def serve: return after(self.next(query), on_reply)": _After,
    "async def serve: return await self.next(query)": _Async,
    "reply.edit().record: dnslib parses and packs": _Records,
}


async def additions() -> dict[str, float]:
    """What plugins cost in front of whoami, by the line in the Corefile."""
    found: dict[str, float] = {}
    queries, sink = [query("www.example.org")] * CALLS, io.StringIO()
    Log.soon = staticmethod(lambda _flush: None)   # the server writes once for many lines
    for name, line in PLUGINS.items():
        chain = Chain(f".:53 {{\n {line}\n whoami\n}}\n")
        await chain.start()
        with redirect_stdout(sink):
            found[name] = cost(chain.listener.answer, lambda: queries)
            Log.flush()
        await chain.stop()
    Log.soon = staticmethod(at_once)
    nothing = found.pop("nothing")
    return {name: whole - nothing for name, whole in found.items()}


async def kinds() -> dict[str, float]:
    """What ways to write a plugin cost, and other things that are on the way of some queries alone."""
    end, found = Whoami(), dict[str, float]()
    bare = await cost_in_loop(end.serve)
    for name, cls in KINDS.items():
        plugin = cls()
        plugin.next = end.serve
        assert plugin.serve is not None  # noqa: S101 - all of them do
        found[name] = await cost_in_loop(plugin.serve) - bare
    door: Door = ProxyProto(session_ttl=30.0).door()
    plain, peer = message("www.example.org"), Address.of("127.0.0.1", 4242).to_sockaddr()
    header = encode_v2(Address.of("198.51.100.1", 4242), Address.of("192.0.2.53", 53))
    door.datagram(header, peer, 0.0)
    edns = message("www.example.org", edns=1232)
    found["query.client, as an Address"] = cost(Address.from_sockaddr, lambda: [peer] * CALLS)
    found["EDNS, in Query and finish"] = _edns(edns) - _edns(plain)
    for name, wire in {"a PROXY header on the datagram": header + plain, "a PROXY session": plain}.items():
        found[name] = cost(lambda each: door.datagram(each, peer, 0.0), partial([wire].__mul__, CALLS))
    return found


def _edns(wire: bytes) -> float:
    sample = query("www.example.org")
    reply = Whoami().serve(sample)
    assert isinstance(reply, Reply)  # noqa: S101 - it answers at once

    def both(wire: bytes) -> bytes:
        return finish(Query(wire, sample.endpoint, b"", b""), reply)

    return cost(both, lambda: [wire] * CALLS)


async def _measured(zone: Path) -> dict[str, dict[str, float]]:
    common = {"socket": socket_cost(), "router": router_cost(), "upstream": await upstream_cost()}
    with replaced(instant):
        return {way.name: await stages(way, common, zone) for way in WAYS}


def main() -> int:
    """Measure and print three tables."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        zone = folder / "zone"
        zone.write_text(zone_text())
        columns = asyncio.run(_measured(zone))
        for column in columns.values():
            column["sum"] = sum(column.values())
        if dnsperf.is_there():
            found = installed({})
            server: Server = next((each for each in found if each.name == "knot"), found[0])
            (folder / "upstream").mkdir()
            job = Job(SCENARIOS["zone"], folder / "upstream", free_port())
            command = server.start_with(job)
            assert command is not None  # noqa: S101 - both serve zones
            with running(command, job.port, job.folder, "host0.example.org"):
                for way in WAYS:
                    columns[way.name]["under load"] = under_load(way, folder / way.name, job.port, 2.0)
    print(table(columns))
    for added in (asyncio.run(additions()), asyncio.run(kinds())):
        print(table({"added": added}, list(added)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
