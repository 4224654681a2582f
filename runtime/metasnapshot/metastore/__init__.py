"""The SQL meta store: connect, read one consistent cut, load in one transaction, see the schema."""
