"""query: SQL over the tables of a snapshot, and over what it says of itself."""
