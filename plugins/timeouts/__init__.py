"""timeouts - sets how long connections are kept, and for how many queries."""

from corepy.plugins.timeouts.timeouts import TimeoutSettings

__all__ = ["TimeoutSettings"]
