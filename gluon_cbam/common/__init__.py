"""What every other package may use: errors, files, memory, timing, ordered maps, text tables, types.

Imports nothing of ours. The modules import each other and the standard library.
"""
