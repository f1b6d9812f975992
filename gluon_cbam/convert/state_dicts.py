"""State dicts as training scripts save them: inside a checkpoint, and with prefixes of wrappers before each name."""

from __future__ import annotations

import logging
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, TypeVar

from gluon_cbam.common.damage import Damaged
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.pickles import Foreign
from gluon_cbam.common.quoting import shown_name, shown_names

_log = logging.getLogger('gluon_cbam.convert')
_Value = TypeVar('_Value')

PLAIN = ('state_dict', 'model_state_dict', 'model', 'net', 'network', 'module', 'params', 'weights')
"""Keys of a checkpoint under which the parameters of the model are."""
AVERAGED = ('state_dict_ema', 'model_ema', 'ema', 'ema_state_dict', 'ema_model', 'ema_model_state_dict', 'params_ema')
"""Keys of a checkpoint under which the exponential moving averages of the parameters are."""
PREFIXES = ('module.', 'model.', 'net.', 'network.', 'backbone.', 'encoder.')
"""What DataParallel and classes that hold a network as an attribute put before the name of each parameter."""
_TRANSPARENT = re.compile(r'(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.')
_HEADLESS = ('backbone.', 'encoder.')  # attributes beside which a class keeps its head
_COUNTERS = ('n_averaged',)  # of torch.optim.swa_utils.AveragedModel, beside "module."


def find(path: PathLike, value: Any, name: Optional[str] = None) -> Dict[Any, Any]:
    """Find the state dict of a checkpoint.

    Args:
        path: the path of the file, for messages.
        value: the object that the file holds: a state dict; a dictionary with state dicts under the names of
            :data:`PLAIN` and :data:`AVERAGED` or one under any name; or a dictionary with such a dictionary.
        name: the name of the state dict that is wanted, such as ``model_ema``; with a dot for one in a dictionary in
            the checkpoint, such as ``ema.module``; default the plain model.

    Returns:
        Name -> tensor. Where there are several state dicts, a warning says which one it is, and which others there are.

    Raises:
        UsageError: there is no state dict of this name.
        Damaged: there is none, or it is not clear which one is meant.
    """
    if name is None and _is_state_dict(value):
        return value
    found = _candidates(value)
    if not found:
        raise _nothing_in(value)
    if name is not None:
        chosen = [key for key in found if name in (key, key.partition('.')[0])]
        if len(chosen) != 1:
            raise UsageError(f'{path}: no state dict {name!r}: it holds {shown_names(found)}')
    else:
        chosen = _preferred(list(found))
        if len(chosen) != 1:
            raise Damaged(f'it holds several state dicts: choose one with --state-dict: {shown_names(found)}')
    others = [key for key in found if key != chosen[0]]
    if others:
        _log.warning('%s: the state dict %s is used; it also holds %s', path, chosen[0], shown_names(others))
    return found[chosen[0]]


def _candidates(value: Any) -> Dict[str, Dict[Any, Any]]:
    """The state dicts in a checkpoint and in the dictionaries in it, by name."""
    found: Dict[str, Dict[Any, Any]] = {}
    for key, inner in value.items() if isinstance(value, dict) else ():
        if _is_state_dict(inner):
            found[str(key)] = inner
        elif isinstance(inner, dict) and key in PLAIN + AVERAGED:
            found.update({f'{key}.{name}': deeper for name, deeper in inner.items() if _is_state_dict(deeper)})
    return found


def _is_state_dict(value: Any) -> bool:
    """Whether a value is a dictionary of tensors."""
    return isinstance(value, dict) and bool(value) and all(hasattr(tensor, 'storage') for tensor in value.values())


def _preferred(names: List[str]) -> List[str]:
    """The names among which the plain model is: one if it is clear."""
    for keys in (PLAIN, AVERAGED):
        known = [name for name in names if name.partition('.')[0] in keys]
        if known:
            return known
    return names


def _nothing_in(value: Any) -> Damaged:
    """The error for a checkpoint without a state dict: it names the first object that is no plain data."""
    places = [value]
    if isinstance(value, dict):
        inner = [value[key] for key in PLAIN + AVERAGED if key in value]
        places += inner + [deeper for place in inner if isinstance(place, dict) for deeper in place.values()]
        places += list(value.values())
    foreign = next((place for place in places if isinstance(place, Foreign)), None)
    return foreign.refusal() if foreign else Damaged('it holds no state_dict, neither at the top nor under state_dict')


def without_prefixes(arrays: Mapping[str, _Value], headless: bool = False) -> Dict[str, _Value]:
    """Remove what wrappers put before the names of all parameters.

    Args:
        arrays: name -> array.
        headless: whether parameters beside ``backbone.`` and ``encoder.`` are the head and are left out.

    Returns:
        Name without prefixes -> array. Prefixes that only some names have stay, as it is not clear what they mean.

    Raises:
        Damaged: two names become the same.
    """
    named = _renamed(arrays, {name: _TRANSPARENT.sub(r'\1', name) for name in arrays})
    while True:
        prefix, others = _common_prefix(named, headless)
        if not prefix:
            return named
        if others:
            _log.warning('left out: %s', shown_names(others))
        named = {name[len(prefix) :]: array for name, array in named.items() if name.startswith(prefix)}


def _common_prefix(named: Mapping[str, Any], headless: bool) -> Tuple[str, List[str]]:
    """A prefix that is to be removed, and the names that do not have it."""
    for prefix in PREFIXES:
        others = [name for name in named if not name.startswith(prefix)]
        if len(others) < len(named) and (set(others) <= set(_COUNTERS) or (headless and prefix in _HEADLESS)):
            return prefix, [name for name in others if name not in _COUNTERS]
    return '', []


def _renamed(arrays: Mapping[str, _Value], names: Mapping[str, str]) -> Dict[str, _Value]:
    """The arrays under other names."""
    kept = {new: name for name, new in names.items()}
    twice = [f'{shown_name(name)} and {shown_name(kept[new])}' for name, new in names.items() if kept[new] != name]
    if twice:
        raise Damaged(f'parameters that are given twice: {twice[0]}')
    return {names[name]: array for name, array in arrays.items()}
