"""Pretrained weights, ready to load: from the store, else downloaded and converted."""
