"""What every other package may use: errors, files, limits, memory, timing, ordered maps, text tables, types.

Whatever a file from outside may hold, ``documents`` and ``yaml_documents`` read YAML and JSON as plain values,
``pickles`` reads pickles of plain data and ``numpy_file`` archives of arrays, ``damage`` turns the errors of other
readers into a DataError, and ``quoting`` and ``printable`` write its values in messages.

Imports nothing of ours. The modules import each other, the standard library and PyYAML; ``numpy_file`` imports
numpy.
"""
