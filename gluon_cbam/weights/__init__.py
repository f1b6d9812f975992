"""Parameter files: saved with a card, loaded strictly."""

from .files import card_beside, find_file, load, load_for_fine_tuning, read_arrays, save

__all__ = ['card_beside', 'find_file', 'load', 'load_for_fine_tuning', 'read_arrays', 'save']
