"""Whole tables, written and read back by each engine's fastest way, column by column."""
