"""pages: HTML for people, one file each that needs nothing else: data in, text out."""
