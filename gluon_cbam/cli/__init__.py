"""The command ``cbam``: its group (:mod:`.main`), its commands (:mod:`.commands`) and what they share.

They share options made from settings (:mod:`.options`), results as text or JSON (:mod:`.output`), errors of one line
(:mod:`.errors`) and progress bars (:mod:`.progress`). It may import every other package and is imported by none; at the
start it imports click and nothing heavy, and each command imports what it needs when it runs.
"""
