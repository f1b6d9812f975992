"""A second task, in a folder of its own: the mean brightness of an image."""
