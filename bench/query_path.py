"""Where the microseconds of a query go: each step of the way on its own, without sockets and kernel.

    python bench/query_path.py

The figures are CPU time a call, best of five; their sum and a few microseconds of kernel are what a query costs.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

from corepy.address import Address
from corepy.finish import finish
from corepy.listener import Listener
from corepy.plugins.proxyproto import ProxyProto
from corepy.plugins.whoami import Whoami
from corepy.proxyproto import encode_v2
from corepy.query import Endpoint, Query
from corepy.site import Timeouts
from corepy.testing import message

CALLS = 100_000


def cost(step: Callable[[], object]) -> float:
    """Microseconds a call."""
    return min(timeit.repeat(step, number=CALLS, repeat=5)) / CALLS * 1e6


def main() -> None:
    """Measure and print."""
    endpoint = Endpoint("udp", "dns://:53")
    plain, edns = message("www.example.org"), message("www.example.org", edns=1232)
    peer, local = Address.of("127.0.0.1", 4242).to_sockaddr(), b"\x7f\0\0\1"
    listener = Listener([(b"\0", Whoami().serve)], timeouts=Timeouts())
    query = Query(plain, endpoint, peer, local)
    query_edns = Query(edns, endpoint, peer, local)
    reply = Whoami().serve(query)
    door = ProxyProto(session_ttl=30.0).door()
    header = encode_v2(Address.of("198.51.100.1", 4242), Address.of("192.0.2.53", 53))
    door.datagram(header, peer, 0.0)
    steps: dict[str, Callable[[], object]] = {
        "(an empty call)": lambda: None,
        "PROXY: headerless, session known": lambda: door.datagram(plain, peer, 0.0),
        "PROXY: header on the datagram": lambda: door.datagram(header + plain, peer, 0.0),
        "Query": lambda: Query(plain, endpoint, peer, local),
        "Query with EDNS": lambda: Query(edns, endpoint, peer, local),
        "its client as an Address": lambda: Address.from_sockaddr(peer),
        "listener, router, whoami": lambda: listener.answer(query),
        "finish": lambda: finish(query, reply),  # type: ignore[arg-type]  # whoami answers at once
        "finish with EDNS": lambda: finish(query_edns, reply),  # type: ignore[arg-type]
    }
    for name, step in steps.items():
        print(f"{name:34} {cost(step):6.2f} us")


if __name__ == "__main__":
    main()
