"""Object stores: the port by its guarantees, the backends, and which URL means which."""
