"""Seed this process: what is loaded now, and the rest right after the user's own import of it.

The main process draws what the plain seed gives. A child draws from seeds derived from the run's
seed and the child's place among the run's processes (`processes`).

No library is imported for the user. On the path of every Python start, so it is one module, and
ours for a library is imported only when its turn comes.
"""

import os
import sys
from _thread import RLock  # what threading is built on, without its cost

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, NoReturn

# The module whose import completes a library's generator, and our module for that library.
LIBRARIES = {
    "random": "python",
    "numpy.random": "numpy",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "keras.backend": "keras",
}
# Modules that start processes, or that draw what must not repeat, and ours for each.
OTHERS = {
    "multiprocessing.process": "multiprocessing",
    "torch.utils.data.dataloader": "dataloader",
    "ray": "ray",
    "jupyter_server.serverapp": "unique",
    "ray._private.gcs_pubsub": "unique",
    "ray._private.node": "unique",
}
# Known to bring no seeder: no reason yet to look for strangers' seeders.
FAMILIAR = ("numpy", "torch", "tensorflow", "keras", "repro_env")


class Process:
    """What this process draws from: the run's seed, and its place among the run's processes.

    Args:
        seed: The plain seed, 0..2^32-1.
        place: How it was started, from the main process down: `process 2/fork 1`; empty there.
        begun: The part of it down to the process that `multiprocessing` began.
    """

    def __init__(self, seed: int, place: str = "", begun: str = "") -> None:
        self.seed = seed
        self.place = place
        self.begun = begun
        self.forks = 0  # children that this process has forked
        self.unseeded = 0  # generators that NumPy was asked for without a seed
        self._lock = RLock()

    def seed_of(self, library: str) -> int:
        """Return what a library is seeded with: the plain seed; in a child, 128 bits of its own."""
        if not self.place:
            return self.seed
        from repro_env import processes

        return processes.derive(self, "library", library)

    def count_unseeded(self) -> int:
        """Return how many generators were asked for without a seed, with this one."""
        with self._lock:
            self.unseeded += 1
            return self.unseeded


class Seeder:
    """Keeps this process's libraries seeded; there is at most one, `seeding.active`.

    It is a finder that finds nothing itself: it prepares a library each time its module has run.

    Args:
        process: What to seed with.
        refuse: Called with the exception when a library can't be seeded; must not return, since
            the import would then go on unseeded.
    """

    def __init__(self, process: Process, refuse: "Callable[[Exception], NoReturn]") -> None:
        self.process = process
        self._refuse = refuse
        self._prepared: "dict[str, list[Any]]" = {}  # what seeds each library that is ready
        self._strangers: "dict[str, Any]" = {}  # seeders of other packages
        self._is_looking = True  # for them: until the first foreign import
        self._forking = RLock()  # held during a fork

    def start(self) -> None:
        """Follow the imports and the forks to come; prepare what is loaded."""
        sys.meta_path.insert(0, self)
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork_in_parent,
            after_in_child=self._after_fork_in_child,
        )
        self._prepare_loaded((*LIBRARIES, *OTHERS))

    def move(self, place: str, seed: "int | None" = None, begun: "str | None" = None) -> None:
        """Be another process from now on: seed again, and let its children know."""
        was = self.process
        self.process = Process(
            was.seed if seed is None else seed, place, was.begun if begun is None else begun
        )
        self.tell_children()
        for name in list(self._prepared):
            if name in sys.modules:
                self._seed(name)

    def begin_child(self, place: str, seed: int) -> None:
        """Be a child that `multiprocessing` began, or leave: its error would reach nobody."""
        try:
            self.move(place, seed, begun=place)
        except Exception as error:
            stop(error)

    def tell_children(self) -> None:
        """Let the children to come know whose children they are."""
        for ours in self._prepared.get("multiprocessing.process", ()):
            ours.tell_children(self.process)

    def begin_again(self, name: str) -> None:
        """Seed one library as at its import."""
        if name in self._prepared:
            self._seed(name)

    def find_strangers(self) -> None:
        """Look for other packages' seeders, and prepare what they are for."""
        self._is_looking = False  # looking imports modules, too
        try:
            from repro_env import strangers

            self._strangers = strangers.find(sys.path)
        except Exception as error:
            self._is_looking = True
            self._refuse(error)
        self._prepare_loaded(self._strangers)

    @property
    def seeded(self) -> "list[str]":
        """The modules whose generators are seeded, in the order of their imports."""
        return [name for name in self._prepared if name not in OTHERS]

    def _seed(self, name: str) -> None:
        for ours in self._prepared[name]:
            if hasattr(ours, "seed"):
                ours.seed(self.process.seed_of(name))

    def _prepare_loaded(self, names: "Iterable[str]") -> None:
        for name in names:
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if name in sys.modules and not getattr(spec, "_initializing", False):
                self._prepare(name)

    def _prepare(self, name: str) -> None:
        """Seed a library that was imported just now, and put it into its deterministic mode."""
        try:
            ours = [library(name)] if name in LIBRARIES or name in OTHERS else []
            theirs = [self._strangers[name]] if name in self._strangers else []
            for step in ("follow", "make_deterministic"):
                for one in ours:
                    if hasattr(one, step):
                        getattr(one, step)(self)
            self._prepared[name] = ours + theirs
            self._seed(name)
            for tell in watchers:
                tell(name)
            if name == "random":  # it seeds itself after a fork: ours must come later
                os.register_at_fork(after_in_child=self._after_random)
        except Exception as error:
            self._refuse(error)

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Return the later finders' answer, with a loader that prepares; None for the others."""
        looking = self._is_looking and path is None and name not in FAMILIAR
        if not looking and not self._is_followed(name):
            return None
        spec = self._ask_the_others(name, path, target)
        if looking and spec is not None and _is_foreign(spec):
            self.find_strangers()
        if spec is not None and self._is_followed(name):
            self._prepare_after(name, spec.loader)
        return spec

    def _is_followed(self, name: str) -> bool:
        return name in LIBRARIES or name in OTHERS or name in self._strangers

    def _ask_the_others(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None"
    ) -> "ModuleSpec | None":
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:  # the earlier were asked
            find = getattr(finder, "find_spec", None)  # Python < 3.12 has finders without it
            spec: "ModuleSpec | None" = find(name, path, target) if find else None
            if spec is not None:
                return spec
        return None

    def _prepare_after(self, name: str, loader: "Loader | None") -> None:
        """Have one loader prepare after its module ran.

        The loader keeps its class: `inspect`, `importlib.resources` and the libraries ask for it.
        """
        if loader is None or isinstance(loader, type) or not hasattr(loader, "exec_module"):
            self._refuse(TypeError(f"{name} is loaded by {loader!r}, which can't be followed"))
            return
        run = loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            run(module)
            vars(loader).pop("exec_module", None)
            if module.__name__ == name:
                self._prepare(name)

        loader.exec_module = exec_module  # type: ignore[method-assign]

    def _before_fork(self) -> None:
        from repro_env import processes  # noqa: F401  # no import between a fork and its seeds

        self._forking.acquire()  # or two threads' children would be the same fork
        self.process.forks += 1
        self._call("wait")

    def _after_fork_in_parent(self) -> None:
        self._forking.release()

    def _after_fork_in_child(self) -> None:
        from repro_env import processes

        try:
            self._forking = RLock()
            self._call("unlock")
            self.move(processes.child(self.process.place, f"fork {self.process.forks}"))
        except Exception as error:  # Python would print it and go on, unseeded
            stop(error)

    def _after_random(self) -> None:
        try:
            self._seed("random")
        except Exception as error:
            stop(error)

    def _call(self, step: str) -> None:
        for ours in [one for ready in list(self._prepared.values()) for one in ready]:
            if hasattr(ours, step):
                getattr(ours, step)()


active: "Seeder | None" = None
watchers: "list[Callable[[str], None]]" = []  # told of each library that is ready


def install(seed: int, refuse: "Callable[[Exception], NoReturn]") -> Seeder:
    """Seed what is loaded, and have the rest seeded when it is imported.

    Args:
        seed: The plain seed, 0..2^32-1.
        refuse: As of `Seeder`.

    Called again, it does nothing: in a virtual environment `site` runs every `.pth` file twice.
    """
    global active
    if active is None:
        active = Seeder(Process(seed), refuse)
        active.start()
    return active


def stop(error: Exception) -> "NoReturn":
    """Say what is wrong and leave at once, whatever is on the stack and whatever is closed."""
    try:
        from repro_env.errors import describe

        os.write(2, describe(error).encode())
        sys.stdout.flush()
    finally:
        os._exit(2)


def library(name: str) -> "Any":
    """Return our module for a library, by the name of the module that completes it."""
    module = f"repro_env.libraries.{LIBRARIES.get(name) or OTHERS[name]}"
    __import__(module)
    return sys.modules[module]


def _is_foreign(spec: "ModuleSpec") -> bool:
    """Say whether a module is none of Python's own."""
    origin = spec.origin or ""  # a file, or "built-in", or "frozen"
    pythons = origin.startswith(os.path.dirname(os.__file__))  # noqa: PTH120  # pathlib costs 3 ms
    return origin[:1] == "/" and (not pythons or "-packages" in origin)
