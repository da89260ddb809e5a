"""prometheus - shows metrics of the server and its plugins to Prometheus."""

from corepy.plugins.prometheus.prometheus import Prometheus

__all__ = ["Prometheus"]
