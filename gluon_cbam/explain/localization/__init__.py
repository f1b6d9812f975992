"""Localization metrics: maps scored against object masks."""
