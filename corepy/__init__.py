"""corepy: a Corefile-compatible DNS server."""

__version__ = "0.1.0"
