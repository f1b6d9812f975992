"""Interfaces of other toolkits to the models, one module per interface.

It may import ``pretrained``, ``convert``, ``models`` and ``common``.
"""
