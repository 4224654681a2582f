"""The generator: a registry of metadata tables in, typed Python out (models, tables, codecs,
layouts, a test).
"""
