"""How many descriptors the sockets towards upstreams may take, over all upstreams together."""

from __future__ import annotations

import resource
from typing import Final

_SHARE: Final = 4
"""A quarter of the descriptors: half of them are the clients' connections, and the rest is for files and listeners."""
_UNLIMITED: Final = 1 << 16
"""Where the process has no limit: more sockets than this have no more ports to stand on."""


class Budget:
    """A count that is taken from and given back to."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @classmethod
    def of_process(cls) -> Budget:
        """The upstreams' share of what this process may open (RLIMIT_NOFILE)."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls((_UNLIMITED if limit == resource.RLIM_INFINITY else limit) // _SHARE)

    def take(self) -> bool:
        """Count one socket in; False where there is none left."""
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def give(self) -> None:
        """Count one socket out."""
        self.used -= 1


BUDGET: Final = Budget.of_process()
"""That of the process."""
