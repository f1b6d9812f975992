"""The models under the interfaces of other toolkits, a module each.

It may import ``pretrained``, ``convert``, ``models`` and ``common``.
"""
