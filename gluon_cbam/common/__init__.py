"""What every other package may use: errors, files, devices, memory, threads, text tables.

Imports: :mod:`gluon_cbam.compat` only."""
