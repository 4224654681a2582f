"""The restore: its plan, its checks, its target, and the load in one transaction."""
