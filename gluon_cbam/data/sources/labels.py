"""Text files with the classes of images: lists of images, label files, files of class names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import lines, open_regular
from gluon_cbam.common.limits import MAX_CLASSES
from gluon_cbam.common.quoting import shown, shown_name
from gluon_cbam.data.class_names import CLASSES_FILE

from .compact_lists import Labels, Names, equal_names
from .file_paths import FilePath

_SYNSET = re.compile(r'n\d{8}\b')
_LARGEST = 3.4028234663852886e38  # of float32, as which labels are stored
_NUMBER = re.compile(r'[+-]?\d+$')
_MOST_DIGITS = 18  # int() takes quadratic time for digits, or refuses them


@dataclass(frozen=True)
class ListedLabels:
    """Which labels of the lines of a list are taken.

    Attributes:
        index: the label of a line that is its class, from 0; None for lines with one label.
        every: take all labels of a line, which may be any numbers, for other tasks than classification.
    """

    index: Optional[int] = None
    every: bool = False

    def choose(self, texts: Sequence[str]) -> Tuple[float, ...]:
        """The labels of a line.

        Args:
            texts: the labels as the line has them, at least one.

        Raises:
            ValueError: a text is no number.
            DataError: there are too few or too many, or a number cannot be a label; the message is the fault alone.
        """
        numbers = tuple(_number(text) for text in texts)
        if self.every:
            wrong = next((text for text, number in zip(texts, numbers) if not abs(number) <= _LARGEST), None)
            if wrong is not None:
                raise DataError(f'the label {shown(wrong)} is no finite number of float32')
            return numbers
        if self.index is None and len(numbers) > 1:
            raise DataError(
                f'{len(numbers)} labels: choose one with --label-index K, counted from 0, or keep all with --all-labels'
            )
        index = self.index or 0
        if index >= len(numbers):
            raise DataError(f'{len(numbers)} labels: --label-index {index}, counted from 0, needs {index + 1}')
        if not (0 <= numbers[index] < MAX_CLASSES and numbers[index] == int(numbers[index])):
            raise DataError(
                f'the label {shown(texts[index])} is no class, an integer in 0..{MAX_CLASSES - 1}: --all-labels keeps '
                'other numbers'
            )
        return (numbers[index],)


def _number(text: str) -> float:
    if '_' in text:  # which Python allows between digits
        raise ValueError(text)
    return float(text)


_ONE_LABEL = ListedLabels()


def read_list(path: FilePath, chosen: ListedLabels = _ONE_LABEL) -> Tuple[Names, Labels]:
    """Read a list of images.

    Args:
        path: path of a ``.lst`` file (index, labels and path, separated by tabs) or of a file of ``path label`` lines.
        chosen: the labels of a line that are taken; default its only one.

    Returns:
        The path and the labels of each image, in the order of the lines.

    Raises:
        DataError: a line has neither format, or labels that cannot be taken.
        UsageError: the list is empty.
    """
    names, labels = Names(), Labels()
    for number, line in _lines(path, 'surrogateescape'):  # a name may have bytes that are not UTF-8
        fields = line.split('\t')
        if len(fields) > 1:
            name, numbers = fields[-1], fields[1:-1]
        else:  # DeepSparkHub's train_list.txt; a path may contain spaces
            name, *numbers = line.rsplit(None, 1)
        try:
            row = chosen.choose(numbers) if numbers else ()
        except DataError as fault:
            raise DataError(f'{path}: line {number}: {fault}') from None
        except ValueError:
            row = ()
        if not row:
            raise DataError(
                f'{path}: line {number} is not "index <tab> label... <tab> path" or "path label": {line[:80]!r}'
            )
        if '\0' in name:
            raise DataError(f'{path}: line {number} has a zero byte, which no path has: {line[:80]!r}')
        names.append(name)
        labels.append(row)
    if not len(names):
        raise UsageError(f'{path}: the list is empty')
    for first, second in equal_names(names.__getitem__, len(names)):
        if labels[first] != labels[second]:
            both = ' and '.join(' '.join(f'{label:g}' for label in labels[place]) for place in (first, second))
            raise DataError(f'{path}: {shown_name(names[first])} is listed twice, with the labels {both}')
    return names, labels


def read_classes(path: FilePath) -> List[str]:
    """Read the names of classes, in the order of the numbers in label files.

    Args:
        path: path of a text file with a name in each line, or a synset and a description (``n01440764 tench``); of
            ImageNet's ``meta.mat``; or of the card of weights, a ``.json``.

    Returns:
        The names; of lines that all begin with a synset, the synsets.

    Raises:
        UsageError: there is no such file.
        DataError: a name occurs twice, or the file has no names.
    """
    if path.suffix == '.mat' and path.is_file():
        names = _meta_synsets(path)
    elif path.suffix == '.json' and path.is_file():
        names = _card_names(path)
    else:
        names = read_names(path)
        synsets = [match.group() for match in map(_SYNSET.match, names) if match]
        if len(synsets) == len(names):
            names = synsets
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    if twice or not names:
        raise DataError(f'{path}: ' + (f'the class {shown(min(twice))} occurs twice' if twice else 'it names no class'))
    return names


def read_names(path: FilePath) -> List[str]:
    """Read the lines of a text file that are not blank.

    Args:
        path: path of the file.

    Returns:
        The lines, without surrounding white space.

    Raises:
        UsageError: there is no such file.
        DataError: it is not text in UTF-8.
    """
    if not path.is_file():
        raise UsageError(f'no file {str(path)!r}')
    return [line.strip() for _, line in _lines(path)]


def _card_names(path: FilePath) -> List[str]:
    """The names on the card of weights."""
    card = read_json(path)
    names = card.get('class_names') if isinstance(card, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f'{path}: no card of weights that names its classes: give a text file, one name in a line')
    return names


def _meta_synsets(path: FilePath) -> List[str]:
    """The synsets of the development kit, sorted by ILSVRC2012_ID, without the inner nodes of the hierarchy."""
    from scipy.io import loadmat

    try:
        synsets = loadmat(str(path), squeeze_me=True)['synsets']
        rows = sorted((int(row['ILSVRC2012_ID']), str(row['WNID'])) for row in synsets if row['num_children'] == 0)
    except (ValueError, KeyError, IndexError, TypeError, NotImplementedError) as error:
        raise DataError(f'{path}: no meta.mat of ImageNet ({error})') from None
    return [name for _, name in rows]


class Assigned(NamedTuple):
    """The classes of images.

    Attributes:
        numbers: class index of each image.
        classes: names of the classes, in the order of the indices; empty if unknown.
    """

    numbers: List[int]
    classes: List[str]


def in_order_of_indices(path: Path, names: List[str]) -> List[str]:
    """Put the names of a classes file in the order of the class indices.

    Args:
        path: path of the file. The ``classes.txt`` beside record files and the card of weights, a ``.json``, name the
            classes in the order of the indices; any other file only says what the numbers in label files mean.
        names: its names, see :func:`read_classes`.

    Returns:
        The names as they are, or sorted as class folders are.
    """
    return names if path.name == CLASSES_FILE or path.suffix == '.json' else sorted(names)


def assign(path: Path, images: Sequence[str], ordered: Optional[List[str]], known: Optional[List[str]]) -> Assigned:
    """Read the classes of images from a label file.

    Args:
        path: path of the label file. A line is a label alone, for the images in the order of their names
            (``ILSVRC2012_validation_ground_truth.txt``), or the name of an image and its label, separated by a space,
            tab or comma (Caffe's ``val.txt``, Kaggle's ``LOC_val_solution.csv``). Labels are class names or numbers.
        images: names of the images.
        ordered: names of the classes in the order of the numbers in the file, which begin at 0 or 1; None if unknown.
        known: names of the classes in the order of the class indices; default ``ordered``, sorted.

    Returns:
        The class of each image, as an index into the class names if these are known.

    Raises:
        UsageError: there is no such file, or the meaning of its numbers is ambiguous.
        DataError: the file does not fit the images or the classes.
    """
    if not path.is_file():
        raise UsageError(f'no label file {str(path)!r}')
    texts = _labels_of_images(path, images)
    kinds = {bool(_NUMBER.match(text)) for text in texts}
    if len(kinds) > 1:
        odd = next(text for text in texts if not _NUMBER.match(text))
        raise DataError(f'{path}: some labels are numbers and some are names, such as {shown(odd)}')
    known = known or (sorted(ordered) if ordered else None)
    if kinds == {True}:
        long = next((text for text in texts if len(text) > _MOST_DIGITS), None)
        if long:
            raise DataError(f'{path}: {shown(long)} is no number of a class')
        return _from_numbers(path, [int(text) for text in texts], ordered, known)
    classes = known or sorted(set(texts))
    place = {name: number for number, name in enumerate(classes)}
    unknown = next((text for text in texts if text not in place), None)
    if unknown is not None:
        raise DataError(
            f'{path}: {shown(unknown)} is none of the {len(classes)} classes ({shown_name(classes[0])}, ...)'
        )
    return Assigned([place[text] for text in texts], classes)


def _from_numbers(path: Path, numbers: List[int], ordered: Optional[List[str]], known: Optional[List[str]]) -> Assigned:
    low, high = min(numbers), max(numbers)
    names = ordered or known
    if low < 0 or high >= MAX_CLASSES or (names and high - (low > 0) >= len(names)):
        limit = f' of {len(names)} classes' if names else ''
        raise DataError(f'{path}: labels in {low}..{high} cannot be numbers{limit}')
    if ordered and low > 0 and high < len(ordered):
        raise UsageError(
            f'{path}: labels in {low}..{high} may count the {len(ordered)} names from 0 or from 1: give the names '
            f'of the classes instead of numbers'
        )
    if not ordered and low > 0:
        raise UsageError(
            f'{path}: labels in {low}..{high} do not define which class is which: name the classes in the order of the '
            f'numbers with --classes-file (for ImageNet, meta.mat of the development kit)'
        )
    if not ordered or not known:
        return Assigned(numbers, known or [])
    place = {name: number for number, name in enumerate(known)}
    return Assigned([place[ordered[number - (low > 0)]] for number in numbers], known)


def _labels_of_images(path: Path, images: Sequence[str]) -> List[str]:
    """The label of each image, as text."""
    rows = [_name_and_label(line) for _, line in _lines(path) if line.strip() != 'ImageId,PredictionString']
    if all(name is None for name, _ in rows):
        if len(rows) != len(images):
            raise DataError(f'{path}: {len(rows)} labels for {len(images)} images')
        return [label for _, label in rows]
    labels: Dict[str, str] = {}
    for name, label in rows:
        if name is None or labels.setdefault(_stem(name), label) != label:
            fault = f'{shown(label)} names no image' if name is None else f'two labels for {shown(name)}'
            raise DataError(f'{path}: {fault}')
    stems = {_stem(image): image for image in images}
    missing = next((image for stem, image in stems.items() if stem not in labels), None)
    if missing is not None or len(stems) < len(images):
        fault = f'no label for {shown(missing)}' if missing else 'two images have the same name'
        raise DataError(f'{path}: {fault} ({len(labels)} labels, {len(images)} images)')
    if len(labels) > len(stems):
        absent = next(name for name in labels if name not in stems)
        raise DataError(f'{path}: no image {shown(absent)} ({len(labels)} labels, {len(images)} images)')
    return [labels[_stem(image)] for image in images]


def _name_and_label(line: str) -> Tuple[Optional[str], str]:
    if ',' in line:  # Kaggle: the synset, then bounding boxes
        name, _, label = line.partition(',')
        return name.strip(), (label.split() or [''])[0]
    name, _, label = line.strip().replace('\t', ' ').rpartition(' ')
    return name.strip() or None, label


def _stem(name: str) -> str:
    return Path(name).stem


def _lines(path: FilePath, errors: str = 'strict') -> Iterator[Tuple[int, str]]:
    """(line number from 1, text) of each line that is not blank."""
    try:
        with TextIOWrapper(open_regular(path), encoding='utf-8', errors=errors) as file:
            for number, line in enumerate(lines(file, path), 1):
                if line.strip():
                    yield number, line.rstrip('\r\n')
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: no text in UTF-8 ({error})') from None
