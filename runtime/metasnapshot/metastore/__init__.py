"""The SQL meta store: connect, read one consistent cut, load in one transaction, look at the
schema.
"""
