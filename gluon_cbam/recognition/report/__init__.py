"""The reports of a verification and of an identification: plots, sheets of the worst, and a page that shows them.

It may import ``recognition``'s other modules, ``explain.figures`` and ``common``.
"""
