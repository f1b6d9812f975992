"""Data sets that need no download: handwritten digits, drawn shapes with masks."""
