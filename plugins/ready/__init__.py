"""ready - tells whether all plugins are ready to answer."""

from corepy.plugins.ready.ready import Ready

__all__ = ["Ready"]
