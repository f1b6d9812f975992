"""The steps of scripts/release: ``checkout`` has the repository, ``files`` what is published."""
