"""Rows of tables as Arrow arrays and as text. Nothing else imports pyarrow."""
