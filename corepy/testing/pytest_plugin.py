"""pytest's side of `corepy.testing`: fixtures, options, cases in data files; docs/testing.md has the page for users.

pytest imports this module in every run where corepy is installed, so it imports nothing of corepy's until it is used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from corepy.testing.coverage import Coverage
    from corepy.testing.loopback import Upstreams
    from corepy.testing.served import Served
    from corepy.testing.snapshot import Snapshots
    from corepy.testing.time import TestClock

_SERVED: pytest.StashKey[list[Served]] = pytest.StashKey()
"""The servers of a test, for the report of its failure."""
_COVERAGE: pytest.StashKey[Coverage] = pytest.StashKey()
_FILES = {"--corefile-coverage-json": "JSON", "--corefile-coverage-lcov": "lcov"}
"""Options that name files for coverage, and what they get."""
_LEAST = "--corefile-coverage-fail-under"
_OUTPUT = "corefile_coverage"
"""Where a worker of xdist hands its coverage to the process that reports."""


class Start(Protocol):
    """What the fixture `corefile` is."""

    def __call__(
        self, corefile: str | Path, *, clock: TestClock | None = None, process: bool = False,
        environment: Mapping[str, str] | None = None, live: bool = False,
    ) -> Served:
        """Serve a Corefile until the test ends: text, or a path beside the test or from the working directory.

        Parameters and errors are those of `corepy.testing.serve`.
        """


# --- fixtures ---


@pytest.fixture
def dns_upstream() -> Iterator[Upstreams]:
    """Fakes in place of all upstreams of the test's Corefiles; a question that none expects fails the test."""
    from corepy.testing.loopback import Upstreams  # noqa: PLC0415 - only a test that wants it pays for it

    upstreams = Upstreams()
    try:
        yield upstreams
    finally:
        upstreams.close()
    try:
        upstreams.check()
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def dns_clock(pytestconfig: pytest.Config) -> TestClock:
    """Time that stands still until `dns_clock.advance("31s")`, for servers started with `clock=dns_clock`."""
    if _binary(pytestconfig):
        pytest.skip("needs the clock of the test, and CoreDNS has its own")
    from corepy.testing.time import TestClock  # noqa: PLC0415 - likewise

    return TestClock()


@pytest.fixture
def corefile(request: pytest.FixtureRequest, dns_upstream: Upstreams) -> Iterator[Start]:
    """Serve Corefiles until the test ends, each with a call: a path or a text gives a server to ask."""
    with ExitStack() as stack:
        yield starter(request.node, dns_upstream, stack)


@pytest.fixture
def dns_snapshot(request: pytest.FixtureRequest) -> Iterator[Snapshots]:
    """`dns_snapshot(answer)`: it is as in the file beside the test that `--corefile-snapshot-update` writes."""
    from corepy.testing.snapshot import Snapshots  # noqa: PLC0415 - likewise

    update = request.config.getoption("--corefile-snapshot-update")
    snapshots = Snapshots(request.path, request.node.name, update=update)
    yield snapshots
    snapshots.close()


def starter(item: pytest.Item, upstreams: Upstreams, stack: ExitStack) -> Start:
    """What serves Corefiles for a test until the stack is closed."""
    from corepy.testing.start import start  # noqa: PLC0415 - likewise

    running = item.stash.setdefault(_SERVED, [])
    coverage = item.config.stash.get(_COVERAGE, None)
    binary = _binary(item.config)

    def begin(
        corefile: str | Path, *, clock: TestClock | None = None, process: bool = False,
        environment: Mapping[str, str] | None = None, live: bool = False,
    ) -> Served:
        served = start(
            corefile, upstreams, clock=clock, process=process, command=[binary] if binary else (),
            environment=environment, live=live, beside=item.path.parent, watch=coverage,
        )  # fmt: skip
        running.append(stack.enter_context(served))
        return served

    return begin


# --- options ---


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line."""
    group = parser.getgroup("corepy", "Corefiles (corepy.testing)")
    group.addoption("--coredns-bin", metavar="PATH", help="serve the Corefiles of tests with this CoreDNS")
    group.addoption("--corefile-coverage", action="store_true", help="show what of Corefiles corepy met in tests")
    group.addoption("--corefile-coverage-json", metavar="FILE", help="write it to a file, as JSON")
    group.addoption("--corefile-coverage-lcov", metavar="FILE", help="write it to a file, as lcov's tracefiles")
    group.addoption(_LEAST, metavar="N", type=float, help="fail where less than N percent was met")
    group.addoption("--corefile-snapshot-update", action="store_true", help="take answers as they are for right ones")


def _binary(config: pytest.Config) -> str:
    """The CoreDNS to test, with its whole path; empty where it is corepy."""
    given = config.getoption("--coredns-bin")
    return str(Path(str(given)).resolve()) if given else ""


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch, where coverage is wanted."""
    if any(config.getoption(option) for option in ("--corefile-coverage", _LEAST, *_FILES)) and not _binary(config):
        from corepy.testing.coverage import Coverage  # noqa: PLC0415 - only who wants it pays for it

        config.stash[_COVERAGE] = Coverage()


# --- cases in data files ---


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take `*.dnstest.yaml`, `*.dnstest.yml` and `*.dnstest.json` for tests."""
    if not file_path.name.endswith((".dnstest.yaml", ".dnstest.yml", ".dnstest.json")):
        return None
    from corepy.testing.cases import CaseFile  # noqa: PLC0415 - likewise

    collector: pytest.Collector = CaseFile.from_parent(parent, path=file_path)
    return collector


# --- outcomes ---


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that needs what the CoreDNS of `--coredns-bin` cannot have is skipped."""
    try:
        yield
    except Exception as error:
        if _binary(item.config) and _is_unsupported(error):
            raise pytest.skip.Exception(str(error), _use_item_location=True) from None
        raise


def _is_unsupported(error: Exception) -> bool:
    served = sys.modules.get("corepy.testing.served")
    return served is not None and isinstance(error, served.Unsupported)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what its servers said last."""
    report = yield
    if report.when == "call" and report.failed:
        for served in item.stash.get(_SERVED, []):
            if served.answers:
                last = served.answers[-1]
                report.sections.append(("last reply", str(last)))
                if last.explanation and last.explanation not in str(report.longrepr):   # `expect` has shown it
                    report.sections.append(("what plugins did for it", last.explanation))
            if served.output:
                report.sections.append(("output of the server", "\n".join(served.output)))
    return report


# --- coverage ---


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist hands over what it saw; elsewhere the run fails where too little was met."""
    output = getattr(session.config, "workeroutput", None)
    coverage = session.config.stash.get(_COVERAGE, None)
    if output is not None and coverage is not None:
        output[_OUTPUT] = coverage.data()
    elif coverage is not None and _is_too_little(session.config, coverage) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_too_little(config: pytest.Config, coverage: Coverage) -> bool:
    least = config.getoption(_LEAST)
    return least is not None and coverage.percent < least


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of xdist saw."""
    coverage = node.config.stash.get(_COVERAGE, None)
    if coverage is not None:
        coverage.add(getattr(node, "workeroutput", {}).get(_OUTPUT, []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table of `--corefile-coverage`, and write the files."""
    coverage = config.stash.get(_COVERAGE, None)
    if coverage is None:
        return
    terminalreporter.section("Corefile coverage")
    for line in coverage.table() if config.getoption("--corefile-coverage") else []:
        terminalreporter.write_line(line)
    if _is_too_little(config, coverage):
        wanted = f"{config.getoption(_LEAST):g}"
        terminalreporter.write_line(f"FAIL {coverage.percent:.1f} percent was met, and {wanted} is wanted", red=True)
    for option, shape in _FILES.items():
        if file := config.getoption(option):
            text = coverage.as_lcov() if shape == "lcov" else json.dumps(coverage.as_json(), indent=2) + "\n"
            Path(file).write_text(text, encoding="utf-8")
            terminalreporter.write_line(f"{shape} written to {file}")
