"""report: what a page for people says of a snapshot and its directory, as data."""
