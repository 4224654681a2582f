"""What programs call, and the command too: backup directories and meta stores by their URLs, and
the operations on them. Its names are those of `import metasnapshot` (docs/library.md).
"""
