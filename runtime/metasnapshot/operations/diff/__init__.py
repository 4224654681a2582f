"""The comparison of two snapshots, or of one with a live meta store."""
