"""How a process imports mxnet without this package, whatever its numpy."""

NAMES = (
    'bool PZERO NZERO PINF NINF NAN NaN Inf alltrue in1d msort trapz '
    'mirr npv pmt ppmt pv rate sometrue round_ product'
)  # fmt: skip
PREPARE = f"""
import numpy
for name in {NAMES.split()}:
    if name not in vars(numpy):
        setattr(numpy, name, bool)
"""
"""Code that gives numpy what mxnet 1.9.1 reads of it when it is imported, with values that no network needs."""
