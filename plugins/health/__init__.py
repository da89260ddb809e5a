"""health - answers health checks, and delays the end so that load balancers can notice it."""

from corepy.plugins.health.health import Health

__all__ = ["Health"]
