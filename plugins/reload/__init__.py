"""reload - serves a changed Corefile without a restart."""

from corepy.plugins.reload.reload import Reload

__all__ = ["Reload"]
