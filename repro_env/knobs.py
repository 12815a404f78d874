"""The catalogue of knobs, as data: what each removes, its value, and which values are legal.

The image's `ENV` and `docs/knobs.md` are rendered from it (`scripts/knobs`), and a test compares.
It is on the path of every Python start, so it imports nothing but our own errors, and those late:
a NamedTuple or an enum would cost more than all the rest of the start-up hook.
"""

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Mapping

    from repro_env.errors import SettingError

SEEDS = range(2**32)
UNSEEDED = ("derive", "warn", "off")

BEFORE_INTERPRETER = "before the interpreter starts"
BEFORE_IMPORT = "before the library is imported"
BEFORE_CUDA = "before CUDA is first used"


class Knob:
    """One environment variable that removes one source of nondeterminism.

    Args:
        name: The variable.
        value: What the image sets.
        when: The latest moment at which setting it still works.
        why: What goes wrong without it.
        source: Where that is documented or measured.
        legal: The values that keep the promise: words, or whole numbers in a range; an empty
            tuple stands for any value.
        required: Whether its absence alone breaks the promise: nothing later can make up for it.
    """

    __slots__ = ("name", "value", "when", "why", "source", "legal", "required")

    def __init__(
        self,
        name: str,
        value: str,
        when: str,
        why: str,
        source: str,
        legal: "tuple[str, ...] | range" = (),
        required: bool = False,
    ) -> None:
        self.name = name
        self.value = value
        self.when = when
        self.why = why
        self.source = source
        self.legal = legal
        self.required = required

    def is_legal(self, text: str) -> bool:
        """Say whether a value keeps the promise."""
        if isinstance(self.legal, range):
            plain = text.isascii() and text.isdigit() and len(text) <= len(str(self.legal[-1]))
            return plain and int(text) in self.legal
        return not self.legal or text in self.legal

    @property
    def legal_in_words(self) -> str:
        """The legal values as a person would say them."""
        if isinstance(self.legal, range):
            return f"a whole number in {self.legal[0]}..{self.legal[-1]}"
        return f"one of {', '.join(self.legal)}" if self.legal else "any value"


KNOBS = (
    Knob(
        name="REPRO_SEED",
        value="42",
        when=BEFORE_INTERPRETER,
        why="the seed of Python, NumPy, TensorFlow and PyTorch in every process",
        source="https://docs.python.org/3/library/random.html#random.seed",
        legal=SEEDS,
    ),
    Knob(
        name="PYTHONHASHSEED",
        value="0",
        when=BEFORE_INTERPRETER,
        why="hashes of str and bytes, and so the order of sets, change with each process",
        source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
        legal=SEEDS,
        required=True,
    ),
    Knob(
        name="REPRO_UNSEEDED",
        value="derive",
        when=BEFORE_INTERPRETER,
        why="NumPy's generators without a seed, as of `default_rng()`, ask the operating system; "
        "derive gives each a seed of its own, warn says where they are made, off leaves them alone",
        source="https://numpy.org/doc/stable/reference/random/bit_generators/generated/numpy.random.SeedSequence.html",
        legal=UNSEEDED,
    ),
    Knob(
        name="TF_DETERMINISTIC_OPS",
        value="1",
        when=BEFORE_IMPORT,
        why="TensorFlow picks faster kernels whose sums depend on timing",
        source="https://github.com/NVIDIA/framework-reproducibility/blob/master/doc/d9m/tensorflow.md",
        legal=("1", "true", "0", "false"),
    ),
    Knob(
        name="TORCHINDUCTOR_DETERMINISTIC",
        value="1",
        when=BEFORE_IMPORT,
        why="torch.compile times its candidate kernels and keeps the fastest of the day",
        source="https://github.com/pytorch/pytorch/blob/main/torch/_inductor/config.py",
        legal=("1", "0"),
    ),
    Knob(
        name="CUBLAS_WORKSPACE_CONFIG",
        value=":4096:8",
        when=BEFORE_CUDA,
        why="cuBLAS picks split-K kernels freely when it runs on several streams",
        source="https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility",
        legal=(":4096:8", ":16:8"),
    ),
    Knob(
        name="LC_ALL",
        value="C.UTF-8",
        when=BEFORE_INTERPRETER,
        why="sorting, number formats and default encodings follow the locale",
        source="https://docs.python.org/3/library/locale.html",
    ),
    Knob(
        name="TZ",
        value="UTC",
        when=BEFORE_INTERPRETER,
        why="local times, and data split or named by them, follow the time zone",
        source="https://docs.python.org/3/library/time.html#time.tzset",
    ),
)


def check(environ: "Mapping[str, str]") -> None:
    """Refuse a value that breaks the promise.

    Raises:
        SettingError: A knob has an illegal value, or a required one is missing.
    """
    for knob in KNOBS:
        text = environ.get(knob.name)
        if text is None and knob.required:
            raise _error(knob, f"{knob.name} is not set")
        if text is not None and not knob.is_legal(text):
            raise _error(knob, f"{knob.name}={text!r} is not {knob.legal_in_words}")


def _error(knob: Knob, message: str) -> "SettingError":
    from repro_env.errors import SettingError

    return SettingError(message, hint=f"set {knob.name}={knob.value}, the image's own value")


def dockerfile_env() -> str:
    """Return the `ENV` instruction that gives every door of the image the knobs."""
    pairs = [f"{knob.name}={knob.value}" for knob in KNOBS]
    return "ENV " + " \\\n    ".join(pairs) + "\n"


def markdown() -> str:
    """Return `docs/knobs.md`."""
    rows = [
        f"| `{knob.name}` | `{knob.value}` | {knob.legal_in_words} | {knob.when} | {knob.why} "
        f"| <{knob.source}> |"
        for knob in KNOBS
    ]
    return "\n".join(
        [
            "# Knobs",
            "",
            "Rendered by `scripts/knobs` from `repro_env/knobs.py`.",
            "The image sets every one of them in its `ENV`, so that every door has them.",
            "",
            "| variable | image's value | legal values | set it | without it | source |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )
