"""timeline: to what a directory can be restored, and what changed when, by name, as data."""
