"""The command ``cbam``: the group (:mod:`.main`), the commands (:mod:`.commands`) and their common parts.

The commands share options made from settings (:mod:`.options`), results as text or JSON (:mod:`.output`), one-line
errors (:mod:`.errors`) and progress bars (:mod:`.progress`); :mod:`.diagnostics` has the checks of ``cbam doctor``. May
import every other package and is imported by none. Start-up imports nothing heavier than click: a command imports what
it needs when it runs.
"""
