"""Our networks where other tool kits look for theirs, a module each."""
