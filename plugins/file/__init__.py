"""file - answers from zone files."""

from corepy.plugins.file.file import File, Source

__all__ = ["File", "Source"]
