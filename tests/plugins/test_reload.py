"""reload: what a line means, and what a look at the Corefile leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from corepy import corefile, site
from corepy.errors import ConfigError
from corepy.log import Log
from corepy.plugins.reload import Reload
from corepy.plugins.reload.reload import FAILED, VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reload", Reload(30, 15)),
        ("reload 10s", Reload(10, 5)),
        ("reload 2s 0s", Reload(2, 0)),
        ("reload 1m 1s", Reload(60, 1)),
        ("reload 10s 7s", Reload(10, 5)),
        ("reload 2s 1s", Reload(2, 1)),
        ("reload 1s", "1:8: invalid argument '1s', expected an interval of at least 2s"),
        ("reload 0s", "1:8: invalid argument '0s'"),
        ("reload -5s", "1:8: invalid argument '-5s'"),
        ("reload off", "1:8: invalid argument 'off', expected an interval"),
        ("reload 10s soon", "1:12: invalid argument 'soon', expected a jitter"),
        ("reload 10s 0.5s", "1:12: invalid argument '0.5s', expected a jitter of 0 or of at least 1s"),
        ("reload 10s -1s", "1:12: invalid argument '-1s'"),
        ("reload 10s 5s 1s", "1:15: unexpected argument '1s'"),
        ("reload {\n}", "1:8: unexpected '{'"),
        ("reload\nreload 5s", "2:1: given twice in a server block"),
    ],
)
def test_lines(text: str, expected: Reload | str) -> None:
    if isinstance(expected, Reload):
        assert list(Reload.parse_all(corefile.directives(text))) == [expected]
        return
    with pytest.raises(ConfigError) as caught:
        Reload.parse_all(corefile.directives(text))
    assert str(caught.value).startswith(f"plugin/reload: Corefile:{expected}")


def test_the_last_block_counts() -> None:
    parsed = corefile.load("a {\n reload 5s\n}\nb {\n reload 7s\n whoami\n}\nc {\n whoami\n}\n", "Corefile", {})
    watcher = site.build(parsed).watcher
    assert isinstance(watcher, Reload)
    assert watcher.interval == 7


def test_jitter_is_to_both_sides_of_the_interval() -> None:
    reload = Reload(10, 4)
    intervals = [reload.begin("") for _ in range(200)]
    assert 8 <= min(intervals) < 9
    assert 11 < max(intervals) <= 12
    assert Reload(10, 0).begin("") == 10


class Files:
    """An Origin in the hands of the test."""

    digest = "a"
    now: str | ConfigError | None = "a"
    error: Exception | None = None
    reloads = 0

    async def look(self) -> str | None:
        if isinstance(self.now, ConfigError):
            raise self.now
        return self.now

    async def reload(self) -> None:
        self.reloads += 1
        if self.error:
            raise self.error


@pytest.fixture
def watch(capsys: pytest.CaptureFixture[str]) -> tuple[Files, Callable[..., int]]:
    """The files, and a look at them after they were changed; how many reloads there were so far."""
    plugin, files = Reload(), Files()
    plugin.log = Log("plugin/reload: ")
    plugin.begin("a")
    assert capsys.readouterr().out == "[INFO] plugin/reload: Running configuration SHA512 = a\n"

    def look(now: str | ConfigError | None, error: Exception | None = None) -> int:
        files.now, files.error = now, error
        asyncio.run(plugin.look(files))
        return files.reloads

    return files, look


Watch = tuple[Files, Callable[..., int]]


def test_only_a_change_is_a_reason_to_reload(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    _, look = watch
    assert [look(now) for now in ("a", None, "a", "b", "b", "a")] == [0, 0, 0, 1, 1, 2]
    assert VERSION.values == {("sha512", "a"): 1}
    assert capsys.readouterr().out == ""


def test_what_fails_is_counted_and_not_tried_again(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    _, look = watch
    before = FAILED.values[()]
    assert [look("b", ConfigError("no such luck")), look("b"), look("c")] == [1, 1, 2]
    assert FAILED.values[()] == before + 1
    assert VERSION.values == {("sha512", "c"): 1}
    assert "[ERROR] plugin/reload: Corefile changed but reload failed: no such luck\n" in capsys.readouterr().out


def test_a_corefile_that_makes_no_sense_is_mentioned(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    _, look = watch
    assert [look(ConfigError("'}' closes no block")), look("a"), look("b")] == [0, 0, 1]
    assert "[WARNING] plugin/reload: Corefile parse failed: '}' closes no block\n" in capsys.readouterr().out


def digest(text: str, **environ: Any) -> str:
    return corefile.load(text, "Corefile", environ).digest


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('# more\n.   { # and more\n\n  "whoami"\n}', True),
        ("(x) {\n whoami\n}\n. {\n import x\n}\n", True),
        (". {\n {$WHO}\n}\n", True),
        (". {\n whoami x\n}\n", False),
        (". {\n whoami {\n }\n}\n", False),
        (".:54 {\n whoami\n}\n", False),
    ],
)
def test_which_corefiles_are_the_same(text: str, same: bool) -> None:
    assert (digest(text, WHO="whoami") == digest(". {\n whoami\n}\n")) == same


def test_a_changed_import_is_served(
    corepy_command: Start, free_port: Callable[[], int], tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "Corefile").write_text(f"import *.conf\n.:{port} {{\n reload 2s 0s\n}}\n")
    running = corepy_command()
    assert running.until("SHA512")[-1].startswith("[INFO] plugin/reload: Running configuration SHA512 = ")
    (tmp_path / "more.conf").write_text(f"example.org:{port} {{\n whoami\n}}\n")
    assert [line.partition(" = ")[0] for line in running.until("complete")[-3:]] == [
        "[INFO] Reloading",
        "[INFO] plugin/reload: Running configuration SHA512",
        "[INFO] Reloading complete",
    ]
