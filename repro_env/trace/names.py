"""What PyTorch's modules and parameters are called in the program.

An optimizer knows tensors, not names. The modules that are alive are looked through once for each
list of parameters; a module is asked for its class, never for an attribute, since a lazy proxy
would wake up.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from weakref import ref

import torch

GENERATIONS = (2, 1, 0)  # of Python's collector: the oldest objects first


class Buffer(NamedTuple):
    """A buffer by its place, since a module may put another tensor there at any time.

    Args:
        name: What it is called.
        module: A weak reference to the module that holds it.
        key: Its name there.
    """

    name: str
    module: Any
    key: str

    def tensor(self) -> Any:
        """Return the tensor that is there now; None if there is none."""
        module = self.module()
        return None if module is None else module._buffers.get(self.key)


class Names(NamedTuple):
    """What is known of an optimizer's modules.

    Args:
        parameters: The names of the optimizer's parameters, in its own order.
        buffers: Those of the modules that its parameters are of.
    """

    parameters: list[str]
    buffers: list[Buffer]


def of(optimizer: Any) -> Names:
    """Return the names of what an optimizer updates; by group and number where it has none."""
    groups = [list(group["params"]) for group in optimizer.param_groups]
    parameters = [parameter for group in groups for parameter in group]
    chosen = _prefixed(_covering({id(parameter) for parameter in parameters}))
    known: dict[int, str] = {}
    for prefix, root in chosen:
        for name, parameter in _parameters(root):
            known.setdefault(id(parameter), f"{prefix}{name}")
    numbered = [
        f"group {group} parameter {number}"
        for group, members in enumerate(groups)
        for number in range(len(members))
    ]
    pairs = zip(parameters, numbered)
    names = [known.get(id(parameter), number) for parameter, number in pairs]
    return Names(names, [one for prefix, root in chosen for one in _buffers(prefix, root)])


def of_all() -> tuple[list[tuple[str, Any]], list[Buffer]]:
    """Return all parameters by name, and all buffers, of the modules that are alive."""
    roots = _prefixed([root for root in _roots() if _parameters(root)])
    named = [(f"{prefix}{name}", one) for prefix, root in roots for name, one in _parameters(root)]
    return named, [one for prefix, root in roots for one in _buffers(prefix, root)]


def of_modules() -> dict[int, str]:
    """Return the names of all modules that are alive, by their identities."""
    found: dict[int, str] = {}
    for prefix, root in _prefixed([root for root in _roots() if next(root.children(), None)]):
        for name, module in root.named_modules():
            own = f"{prefix}{name}" if name else f"the whole {type(root).__name__}"
            found.setdefault(id(module), own)
    return found


def _covering(wanted: set[int]) -> list[Any]:
    """Return the fewest modules that hold what is wanted: those that hold most come first."""
    held = [(root, {id(one) for _, one in _parameters(root)} & wanted) for root in _roots()]
    held.sort(key=lambda pair: -len(pair[1]))  # stable: of equals, the oldest
    chosen = []
    for root, parameters in held:
        if parameters & wanted:
            wanted = wanted - parameters
            chosen.append(root)
    return chosen


def _roots() -> list[Any]:
    """Return the modules that are in no other one, the oldest first."""
    modules = list(_living())
    inner = {id(child) for one in modules for child in one._modules.values()}
    return [module for module in modules if id(module) not in inner]


def _living() -> Iterator[Any]:
    for generation in GENERATIONS:
        for thing in gc.get_objects(generation=generation):
            if issubclass(type(thing), torch.nn.Module) and "_modules" in vars(thing):
                yield thing  # one whose `__init__` has run


def _prefixed(roots: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return modules with what their names begin with: nothing where there is one."""
    roots = list(roots)
    if len(roots) < 2:
        return [("", root) for root in roots]
    seen: Counter[str] = Counter()
    found = []
    for root in roots:
        kind = type(root).__name__
        seen[kind] += 1
        found.append((f"{kind}." if seen[kind] == 1 else f"{kind} {seen[kind]}.", root))
    return found


def _parameters(root: Any) -> list[tuple[str, Any]]:
    return list(torch.nn.Module.named_parameters(root))


def _buffers(prefix: str, root: Any) -> list[Buffer]:
    return [
        Buffer(f"{prefix}{path}{'.' if path else ''}{key}", ref(module), key)
        for path, module in torch.nn.Module.named_modules(root)
        for key in module._buffers
    ]
