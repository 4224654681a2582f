"""Hummock's state outside the meta store: the checkpoint, and the objects that a version needs."""
