"""The commands of ``cbam``, a module for each command or group. They parse options, call the library and print.

May import every other package; on import, nothing heavier than click: a command imports what it needs when it runs.
"""
