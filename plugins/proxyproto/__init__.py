"""proxyproto - learns the client's address from the PROXY protocol of a load balancer."""

from corepy.plugins.proxyproto.proxyproto import ProxyProto

__all__ = ["ProxyProto"]
