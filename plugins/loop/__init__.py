"""loop - stops the server when it forwards queries to itself."""

from corepy.plugins.loop.loop import Loop

__all__ = ["Loop"]
