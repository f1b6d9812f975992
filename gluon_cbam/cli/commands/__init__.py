"""The commands of ``cbam``, a module each or a module a group. They parse, call the library and print.

They import click and nothing heavy; each command imports what it needs when it runs.
"""
