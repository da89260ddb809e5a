"""grpc - asks other servers over gRPC and relays their replies."""

from corepy.plugins.grpc.grpc import Grpc

__all__ = ["Grpc"]
