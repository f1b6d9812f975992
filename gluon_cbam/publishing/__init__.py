"""Weights of a run made public (:mod:`.publish`), and published weights scored here (:mod:`.verify`).

It may import ``training``, ``inference``, ``tasks``, ``pretrained``, ``zoo``, ``weights``, ``models`` and ``common``.
"""
