"""Seed this process: what is loaded now, and the rest right after the user's own import of it.

No library is imported for the user. On the path of every Python start, so a library's module
here is imported only when its turn comes.
"""

import sys

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# The module whose import completes a library's generator, and our module for that library.
LIBRARIES = {
    "random": "python",
    "numpy.random": "numpy",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "keras.backend": "keras",
}


def seed_loaded(seed: int) -> None:
    """Seed every library that is imported already, each with the plain seed."""
    for name in LIBRARIES:
        if name in sys.modules:
            _library(name).seed(seed)


def install(seed: int, stop: "Callable[[Exception], None]") -> None:
    """Seed what is loaded, and have the rest seeded when it is imported.

    Args:
        seed: The plain seed, 0..2^32-1.
        stop: Called with the exception when a library can't be seeded; must not return, since
            the import would then go on unseeded.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.
    """
    if any(isinstance(finder, SeedAfterImport) for finder in sys.meta_path):
        return
    finder = SeedAfterImport(seed, stop)
    sys.meta_path.insert(0, finder)
    for name in LIBRARIES:
        if name in sys.modules:
            finder.prepare(name)


class SeedAfterImport:
    """A finder that finds nothing itself: it has a library seeded each time its module has run."""

    def __init__(self, seed: int, stop: "Callable[[Exception], None]") -> None:
        self._seed = seed
        self._stop = stop

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Return the later finders' answer, with a loader that seeds; None for other modules."""
        if name not in LIBRARIES:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:  # the earlier were asked
            find = getattr(finder, "find_spec", None)  # Python < 3.12 has finders without it
            spec: "ModuleSpec | None" = find(name, path, target) if find else None
            if spec is not None:
                self._seed_after(name, spec.loader)
                return spec
        return None

    def _seed_after(self, name: str, loader: "Loader | None") -> None:
        """Have one loader seed after its module ran.

        The loader keeps its class: `inspect`, `importlib.resources` and the libraries ask for it.
        """
        if loader is None or isinstance(loader, type) or not hasattr(loader, "exec_module"):
            self._stop(TypeError(f"{name} is loaded by {loader!r}, which can't be followed"))
            return
        run = loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            run(module)
            vars(loader).pop("exec_module", None)
            if module.__name__ == name:
                self.prepare(name)

        loader.exec_module = exec_module  # type: ignore[method-assign]

    def prepare(self, name: str) -> None:
        """Seed one library and put it into its deterministic mode."""
        try:
            library = _library(name)
            library.seed(self._seed)
            if hasattr(library, "make_deterministic"):
                library.make_deterministic()
        except Exception as error:
            self._stop(error)


def _library(name: str) -> "ModuleType":
    module = f"repro_env.libraries.{LIBRARIES[name]}"
    __import__(module)
    return sys.modules[module]
