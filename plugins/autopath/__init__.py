"""autopath - completes names with a client's search path, so that the client need not."""

from corepy.plugins.autopath.autopath import Autopath

__all__ = ["Autopath"]
