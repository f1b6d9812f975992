"""Speed and memory, measured: what ``cbam bench`` and ``scripts/benchmark`` run.

A *side* is one engine with one network doing one thing, in a process of its own: its thread settings, environment and
peak of memory are nobody else's. :mod:`.child` is that process, :mod:`.side` the handle that the measuring process has.
:mod:`.timing` has the sides repeat in turn, so that a busy moment of the machine meets all of them, and compares
medians. A repetition ends with one wait for all that it queued, and has none inside.

:data:`.subjects.SUBJECTS` says which engine measures what, in which module.
"""

MODES = ('train', 'validate', 'predict', 'loader')
