"""RecordIO files: the format, packing, checks and statistics."""
