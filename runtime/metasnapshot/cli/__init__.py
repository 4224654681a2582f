"""The command `metasnapshot`: one small file per verb over operations."""
