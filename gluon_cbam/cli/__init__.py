"""The command ``cbam``: :mod:`.main` is the group, :mod:`.commands` its commands, :mod:`.console` what they share."""
