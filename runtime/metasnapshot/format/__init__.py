"""Bytes <-> rows: framing and checksum, layouts, row codecs, the Hummock version section, whole
snapshots.
"""
