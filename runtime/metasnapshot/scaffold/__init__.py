"""The lines of the registry that a new release needs, out of a meta store that it made."""
