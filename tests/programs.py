"""Programs of others that tests start; a test is skipped where its program is not there."""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

_PACKAGES: Final = {
    "dig": "bind9-dnsutils", "dnsdist": "dnsdist", "dnsperf": "dnsperf", "haproxy": "haproxy", "kdig": "knot-dnsutils",
    "knotd": "knot", "named": "bind9", "nsd": "nsd", "unbound": "unbound",
}  # fmt: skip
"""Debian's, for who wants to see the test run."""
_PLACES: Final = "/usr/sbin:/usr/local/sbin:/sbin"
"""Where servers are, and where the path of a user does not lead."""


def program(name: str) -> str:
    """Where a program is; without it the test is skipped."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_PLACES}")
    if path is None:
        package = _PACKAGES.get(name)
        pytest.skip(f"{name} is not installed" + (f"; it is in Debian's {package}" if package else ""))
    return path
