"""Tasks: what a network is trained for, one package each."""
