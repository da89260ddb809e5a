"""loadbalance - changes the order of addresses in answers."""

from corepy.plugins.loadbalance.loadbalance import LoadBalance

__all__ = ["LoadBalance"]
