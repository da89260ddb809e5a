"""file - answers from zone files."""

from corepy.plugins.file.file import File
from corepy.plugins.file.source import Source

__all__ = ["File", "Source"]
