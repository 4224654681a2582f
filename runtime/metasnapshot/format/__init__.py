"""Bytes <-> rows: framing and checksum, layouts, row codecs, Hummock version, whole snapshots."""
