"""Many clusters in one metasnapshot.toml: `--cluster NAME` and `--all-clusters`. Nothing of this
folder is loaded unless one of these options is given, or the file has a table of clusters.
"""
