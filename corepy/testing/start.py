r"""A running server for a Corefile, in one call, with fakes behind it.

    with serve(". {\n forward . 192.0.2.53\n cache\n}") as dns:
        dns.upstreams.answer("www.example.org. 300 IN A 192.0.2.1")
        expect(dns.ask("www.example.org.")).rcode("NOERROR").ttl(300)

The fixtures of `pytest_plugin` are this, ended with the test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from corepy.testing.coverage import Coverage
from corepy.testing.given import Given
from corepy.testing.inprocess import InProcess
from corepy.testing.loopback import Upstreams
from corepy.testing.program import COREPY, Program
from corepy.testing.served import Served, Unsupported
from corepy.testing.time import TestClock


def start(
    corefile: str | Path, upstreams: Upstreams, *, clock: TestClock | None = None, process: bool = False,
    command: Sequence[str] = (), environment: Mapping[str, str] | None = None, live: bool = False,
    beside: Path | None = None, watch: Coverage | None = None,
) -> Served:
    """Start a server; who calls stops it. Parameters and errors are those of `serve`."""
    given = Given.of(corefile, beside, environment)
    if not process and not command:
        if clock is None:
            return InProcess(given, upstreams, live=live, watch=watch)
        own = clock.another()
        served = InProcess(given, upstreams, clock=own, live=live, watch=watch)
        clock.drive(own, served)
        return served
    if clock is not None:
        raise Unsupported("the clock of the test moves a server in this process, and no other")
    return Program(given, upstreams, command or COREPY, live=live, watch=watch)


@contextmanager
def serve(
    corefile: str | Path, *, clock: TestClock | None = None, process: bool = False, command: Sequence[str] = (),
    environment: Mapping[str, str] | None = None, live: bool = False,
) -> Iterator[Served]:
    """Serve a Corefile, text or path, while the `with` lasts; every port stands for one that is free.

    In this process and on `clock`, unless `process` wants a process of its own or `command` names another program, such
    as `("coredns",)`. `environment` has variables of the Corefile. All its upstreams are `upstreams` of what is
    yielded, so that no packet leaves loopback, and a question that these do not expect is an AssertionError at the end;
    with `live` they are asked in earnest. Raises ConfigError, Unsupported, and RuntimeError for a program that does not
    serve.
    """
    with Upstreams() as upstreams:
        served = start(
            corefile, upstreams, clock=clock, process=process, command=command, environment=environment, live=live
        )
        with served:
            yield served


__all__ = ["serve", "start"]
