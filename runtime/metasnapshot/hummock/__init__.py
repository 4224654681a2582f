"""Hummock's state outside the meta store: the version checkpoint, and which objects a version
needs.
"""
