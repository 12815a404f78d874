"""Being told when a module that is followed has run: libraries come when the user imports them.

It works where nothing seeds the process, too, so it is a finder of its own: it finds nothing
itself, and stands before the seeder's, so that a library is seeded first. The seeder follows in
the same way by itself: one module more would cost every start of a seeded Python.
"""

import sys

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Follower:
    """Calls a function each time a module has run.

    Args:
        told: By the module's name, what to call.
        refuse: Called with an exception where a module's loader can't be followed.
    """

    def __init__(
        self,
        told: "dict[str, Callable[[], None]]",
        refuse: "Callable[[Exception], object]" = bool,
    ) -> None:
        self._told = told
        self._refuse = refuse

    def start(self) -> None:
        """Follow the imports to come; call for what is loaded."""
        sys.meta_path.insert(0, self)
        for name, tell in self._told.items():
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if spec is not None and not getattr(spec, "_initializing", False):
                tell()

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Return the later finders' answer for what is followed; None for the rest."""
        if name not in self._told:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:  # the earlier were asked
            find = getattr(finder, "find_spec", None)
            spec: "ModuleSpec | None" = find(name, path, target) if find else None
            if spec is not None:
                self._tell_after(name, spec.loader)
                return spec
        return None

    def _tell_after(self, name: str, loader: "Loader | None") -> None:
        if loader is None or isinstance(loader, type) or not hasattr(loader, "exec_module"):
            self._refuse(TypeError(f"{name} is loaded by {loader!r}, which can't be followed"))
            return
        run = loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            run(module)
            vars(loader).pop("exec_module", None)
            if module.__name__ == name:
                self._told[name]()

        loader.exec_module = exec_module  # type: ignore[method-assign]
