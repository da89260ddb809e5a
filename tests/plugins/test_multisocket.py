"""multisocket: what a line means, and how many cores there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corepy import corefile, site
from corepy.errors import ConfigError
from corepy.plugins.multisocket import MultiSocket
from corepy.plugins.multisocket.cores import cores
from corepy.site import Bind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("multisocket", MultiSocket(cores())),
        ("multisocket 1", MultiSocket(1)),
        ("multisocket 1024", MultiSocket(1024)),
        ("multisocket 0", "1:13: invalid argument '0', expected a number of sockets from 1 to 1024"),
        ("multisocket -1", "1:13: invalid argument '-1'"),
        ("multisocket 1025", "1:13: invalid argument '1025'"),
        ("multisocket few", "1:13: invalid argument 'few'"),
        ("multisocket 2.5", "1:13: invalid argument '2.5'"),
        ("multisocket 2 3", "1:15: unexpected argument '3'"),
        ("multisocket 2 {\n}", "1:15: unexpected '{'"),
        ("multisocket 2\nmultisocket 3", "2:1: given twice in a server block, first at Corefile:1:1"),
    ],
)
def test_lines(text: str, expected: MultiSocket | str) -> None:
    if isinstance(expected, MultiSocket):
        assert list(MultiSocket.parse_all(corefile.directives(text))) == [expected]
        return
    with pytest.raises(ConfigError) as caught:
        MultiSocket.parse_all(corefile.directives(text))
    assert str(caught.value).startswith(f"plugin/multisocket: Corefile:{expected}")


def test_the_first_block_of_an_address_counts() -> None:
    text = "a:1 {\n multisocket 3\n}\nb:1 {\n multisocket 5\n}\nc:2 {\n whoami\n}\n"
    built = site.build(corefile.load(text, "Corefile", {}))
    assert built.sets == {Bind("dns", "", 1): 3, Bind("dns", "", 2): 1}
    assert built.workers == 3


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {}, 64),
        ("0::/\n", {}, 64),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n"}, 64),
        ("0::/a/b\n", {"a/b/cpu.max": "250000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a\n", {"a/cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/a\n", {"a/cpu.max": "nonsense"}, 64),
        ("4:cpu,cpuacct:/d\n", {"cpu/d/cpu.cfs_quota_us": "200000\n", "cpu/d/cpu.cfs_period_us": "100000\n"}, 2),
        ("4:cpu,cpuacct:/x\n", {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ("4:memory:/\n", {}, 64),
    ],
)
def test_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, groups: str, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    own = tmp_path / "own"
    own.write_text(groups)
    for name, text in files.items():
        file = tmp_path / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert cores(tmp_path / "mount", own) == expected


def test_no_more_cores_than_the_affinity_allows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 5})
    assert cores(tmp_path, tmp_path / "gone") == 3
