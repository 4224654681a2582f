"""The snapshots of one backup directory: manifest.json in every dialect, and the repository."""
