"""The report of a verification: plots, sheets of the worst pairs, and a page that shows them.

It may import ``recognition``'s other modules, ``explain.figures`` and ``common``.
"""
