"""Figures: maps over images, comparisons of networks, the HTML report."""
