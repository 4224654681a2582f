"""A running meta node, by its gRPC."""
