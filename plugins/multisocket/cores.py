"""How many processor cores there are for this process: by its affinity, and by the quota of its control groups."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores(mount: Path = _MOUNT, own: Path = _OWN) -> int:
    """At least one; of a quota of two and a half, two, as Go's programs that look at quotas have it."""
    quota = min(_quotas(mount, own), default=float("inf"))
    return max(1, int(min(quota, len(os.sched_getaffinity(0)))))


def _quotas(mount: Path, own: Path) -> list[float]:
    """The quotas that hold for this process, in cores."""
    found = []
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # Version 2: the group and all those around it (cgroup-v2, "cpu.max").
            group = PurePosixPath(path.lstrip("/"))
            found += [_ratio(_text(mount / each / "cpu.max").split()) for each in (group, *group.parents)]
        elif "cpu" in controllers.split(","):
            base = mount / "cpu" / path.lstrip("/")
            base = base if base.is_dir() else mount / "cpu"   # in a container the group is the root
            files = (base / "cpu.cfs_quota_us", base / "cpu.cfs_period_us")
            found.append(_ratio([_text(file).strip() for file in files]))
    return [quota for quota in found if quota is not None]


def _ratio(words: list[str]) -> float | None:
    """Time within a period; None where there is no bound, which is written `max` or -1."""
    if len(words) != 2 or not all(word.isdigit() for word in words) or not int(words[1]):
        return None
    return int(words[0]) / int(words[1])


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


__all__ = ["cores"]
