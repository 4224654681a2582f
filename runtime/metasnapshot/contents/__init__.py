"""What a snapshot says of its cluster, and whether that is sound. Nothing here changes anything."""
