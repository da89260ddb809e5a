"""Tests in data files, `*.dnstest.yaml` or `*.dnstest.json`: a Corefile, what stands behind it, questions, answers.

    corefile: Corefile
    upstreams:
      - answer: www.example.org. 300 IN A 192.0.2.1
    tests:
      the cache answers the second question:
        - ask: www.example.org. A
          expect: {rcode: NOERROR, ttl: 300}
        - advance: 100s
        - ask: www.example.org. A
          expect: {only: www.example.org. 200 IN A 192.0.2.1, from_upstream: false}

Each test has a server of its own. docs/testing-reference.md has all words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corepy.errors import ConfigError
from corepy.testing.expectation import Expectation, expect
from corepy.testing.loopback import LoopbackUpstream, Upstreams
from corepy.testing.pytest_plugin import Start, starter
from corepy.testing.served import Served

if TYPE_CHECKING:
    from corepy.testing.time import TestClock

_FILE = {"corefile", "environment", "process", "upstreams", "tests"}
_ASK = {"ask", "expect", "transport", "client", "proxy", "port", "host", "edns", "do", "timeout"}
_TOLD = {"of", "answer", "servfail", "nxdomain", "drop", "to", "rcode", "delay", "truncate", "once"}


class Wrong(Exception):  # noqa: N818 - the file is
    """What is wrong with a data file, or with an answer: the text is for the report."""


class CaseFile(pytest.File):
    """A data file; each entry of its `tests` is a test."""

    def collect(self) -> Iterable[pytest.Item]:
        """The tests of the file. Raises `pytest.Collector.CollectError` where it is not as it should be."""
        try:
            data = _mapping(load(self.path), _FILE, "the file")
            _corefile(data)
            for name, steps in _mapping(data.get("tests", {}), None, "tests").items():
                yield Case.from_parent(self, name=str(name), data=data, steps=steps)
        except (Wrong, ValueError) as error:
            raise self.CollectError(f"{self.path.name}: {error}") from None


def _corefile(data: Mapping[str, Any]) -> str:
    """The Corefile of a file, path or text. Raises Wrong where there is none."""
    if "corefile" not in data:
        raise Wrong("the file lacks 'corefile': a path, or the text")
    return str(data["corefile"])


def load(path: Path) -> object:
    """What a file says, as plain values. Raises Wrong where that cannot be read."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise Wrong("YAML needs PyYAML: pip install 'corepy[testing]'; JSON does without") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Wrong(str(error)) from None


class Case(pytest.Item):
    """One test of a data file: its steps, one after the other, on a server of its own."""

    def __init__(self, *, data: Mapping[str, Any], steps: object, **more: Any) -> None:
        super().__init__(**more)
        self._data = data
        self._steps = steps

    def runtest(self) -> None:
        """Serve the Corefile and take the steps."""
        steps = [_step(step, number) for number, step in enumerate(_list(self._steps), 1)]
        with Upstreams() as upstreams, ExitStack() as stack:
            for told in _list(self._data.get("upstreams")):
                _tell(upstreams, _mapping(told, _TOLD, "an upstream"))
            clock = self._clock() if any("advance" in step for step in steps) else None
            served = self._serve(starter(self, upstreams, stack), clock)
            for number, step in enumerate(steps, 1):
                try:
                    _take(step, served, clock)
                except (AssertionError, TimeoutError, ConfigError, ValueError) as error:
                    raise Wrong(f"step {number}, {_title(step)}: {str(error) or type(error).__name__}") from None

    def _serve(self, start: Start, clock: TestClock | None) -> Served:
        corefile, environment = _corefile(self._data), self._data.get("environment") or {}
        variables = {str(name): str(value) for name, value in _mapping(environment, None, "environment").items()}
        process = bool(self._data.get("process"))
        try:
            return start(corefile, clock=clock, process=process, environment=variables)
        except ConfigError as error:
            raise Wrong(error.explain()) from None

    def _clock(self) -> TestClock:
        if self.config.getoption("--coredns-bin"):
            pytest.skip("needs the clock of the test, and CoreDNS has its own")
        from corepy.testing.time import TestClock  # noqa: PLC0415 - few tests want it

        return TestClock()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> Any:
        """What is wrong, without a traceback: nobody has written code."""
        if isinstance(excinfo.value, Wrong | AssertionError):
            return f"{self.path.name}: {self.name}\n{excinfo.value}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test stands."""
        return self.path, None, self.name


def _step(step: object, number: int) -> Mapping[str, Any]:
    """One step: a question, time that passes, or another Corefile."""
    where = f"step {number}"
    words = _mapping(step, None, where)
    for kind, allowed in (("ask", _ASK), ("advance", {"advance"}), ("reload", {"reload"})):
        if kind in words:
            return _mapping(words, allowed, where)
    raise Wrong(f"{where}: expected 'ask', 'advance' or 'reload', got {', '.join(words) or 'nothing'}")


def _title(step: Mapping[str, Any]) -> str:
    """What a step does, in a line."""
    kind = next(kind for kind in ("ask", "advance", "reload") if kind in step)
    return f"{kind} {str(step[kind]).partition(chr(10))[0]}"


def _take(step: Mapping[str, Any], served: Served, clock: TestClock | None) -> None:
    """Do what a step says."""
    if "reload" in step:
        served.reload(str(step["reload"]))
    elif "advance" in step:
        assert clock is not None  # noqa: S101 - there is one where a step moves it
        clock.advance(step["advance"])
    else:
        how = {word: value for word, value in step.items() if word not in ("ask", "expect")}
        wanted = step.get("expect") or {}
        if wanted == "silence":
            return _expect_silence(str(step["ask"]), served, how)
        _expect(expect(served.ask(*str(step["ask"]).split(), **how)), _mapping(wanted, None, "expect"))
    return None


def _expect_silence(question: str, served: Served, how: dict[str, Any]) -> None:
    try:
        answer = served.ask(*question.split(), **{"timeout": 0.3, **how})  # a reply on loopback takes a thousandth
    except TimeoutError:
        return
    raise AssertionError(f"wanted no reply, got\n{answer}")


def _expect(expectation: Expectation, wanted: Mapping[str, Any]) -> None:
    """Hold an answer against the words below `expect`."""
    for word, value in wanted.items():
        match word:
            case "rcode":
                expectation.rcode(str(value))
            case "has" | "only" | "lacks":
                getattr(expectation, word)(*map(str, _list(value)))
            case "authority" | "additional":
                expectation.has(*map(str, _list(value)), section=word)
            case "flags":
                expectation.flags(*map(str, _list(value)))
            case "ttl":
                bounds = {str(name): int(bound) for name, bound in value.items()} if isinstance(value, dict) else {}
                expectation.ttl(**bounds) if bounds else expectation.ttl(int(value))
            case "empty":
                expectation.empty()
            case "from_upstream":
                expectation.from_upstream(bool(value))
            case _:
                raise ValueError(f"expect knows no {word!r}")


def _tell(upstreams: Upstreams, told: Mapping[str, Any]) -> None:
    """Tell an upstream what a line below `upstreams` says."""
    fake: LoopbackUpstream = upstreams[str(told["of"])] if "of" in told else upstreams
    more = {word: told[word] for word in ("to", "delay", "once") if word in told}
    if told.get("drop"):
        fake.drop(**{word: value for word, value in more.items() if word != "delay"})
        return
    rcode = next((kind.upper() for kind in ("servfail", "nxdomain") if told.get(kind)), told.get("rcode", "NOERROR"))
    records = [str(record) for record in _list(told.get("answer"))]
    fake.answer(*records, rcode=rcode, truncate=bool(told.get("truncate")), **more)


def _list(value: object) -> list[Any]:
    """A list, where a single thing stands for itself and nothing for none."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _mapping(value: object, allowed: set[str] | None, what: str) -> Mapping[str, Any]:
    """A mapping with none but the allowed words. Raises Wrong."""
    if not isinstance(value, dict):
        raise Wrong(f"{what}: expected words with values, got {value!r}")
    unknown = sorted(set(value) - allowed) if allowed is not None else []
    if unknown and allowed is not None:
        raise Wrong(f"{what}: unexpected {unknown[0]!r}, expected one of {', '.join(sorted(allowed))}")
    return value


__all__ = ["Case", "CaseFile", "Wrong", "load"]
