"""What an operator does: one file each, over catalogue, meta store and Hummock."""
