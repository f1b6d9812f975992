"""Parameters of a network: selection, freezing, initialization, EMA, BatchNorm statistics over devices."""
