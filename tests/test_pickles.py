"""Pickles, and what torch writes: what counts in them, and that nothing of them is executed."""

from __future__ import annotations

import array
import collections
import contextlib
import copyreg
import datetime
import os
import pickle
import pickletools
import random
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from repro_env import digest
from repro_env.digest import Content
from tests.test_formats import content, names, refused

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Thing:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Attack:
    """Does something when it is loaded, in one of the ways there are."""

    def __init__(self, reduced: tuple[Any, ...]) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


class Eager:
    """Does something as it gets its state."""

    def __init__(self, marker: str = "") -> None:
        self.marker = marker

    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["marker"]).touch()


def of(folder: Path, value: Any, protocol: int = 4) -> Content:
    return content(folder, "a.pkl", pickle.dumps(value, protocol))


def twins() -> list[Any]:
    inner = [1]
    return [inner, inner]


def loop() -> list[Any]:
    me: list[Any] = [1]
    me.append(me)
    return me


# What counts


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 2),
        (1, 1.0),
        (1, True),
        (0, False),
        (0, None),
        (0.0, -0.0),
        (1.0, 1.0000000000000002),
        ("1", 1),
        ("a", b"a"),
        (b"a", bytearray(b"a")),
        ("", None),
        ([1], (1,)),
        ([], {}),
        ({1}, frozenset({1})),
        ({1}, [1]),
        ({1: 2}, {1: 3}),
        ({1: 2}, {"1": 2}),
        ({1: 2, 3: 4}, {3: 4, 1: 2}),
        ({"a/b": 1}, {"a": {"b": 1}}),
        ([1, [2]], [[1], 2]),
        ([[1], [1]], twins()),
        (10**30, 10**30 + 1),
        (Thing(a=1), Thing(a=2)),
        (Thing(a=1), collections.OrderedDict(a=1)),
        (os.getcwd, os.getpid),
        (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
        (collections.deque([1, 2]), collections.deque([2, 1])),
        (complex(0, 1), complex(0, -1)),
        (array.array("f", [1]), array.array("d", [1])),
        (random.Random(1), random.Random(2)),
        ("\ud83d\ude00", "\U0001f600"),
    ],
)
def test_other_values_differ(tmp_path: Path, one: Any, two: Any, protocol: int) -> None:
    assert of(tmp_path, one, protocol) == of(tmp_path, one, protocol)
    assert of(tmp_path, one, protocol).digest != of(tmp_path, two, protocol).digest


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, True),
        (0, None),
        (None, "null"),
        (True, "true"),
        (1, 1.0),
        (0.0, -0.0),
        ("a", b"a"),
        ("1", 1),
        ("a" * 2000, b"a" * 2000),
        ("a" * 2000, "a" * 1999 + "b"),
        ([1], (1,)),
        ([], {}),
        ({1}, frozenset({1})),
        ({1: 2}, [1, 2]),
        (os.getcwd, "os getcwd"),
        (bytearray(b"a"), b"a"),
        (Thing(a=1), Thing(a=2)),
        ([[1], 2], [1, [2]]),
        (2**64, 2**64 + 1),
    ],
)
def test_other_values_in_a_long_list_differ(tmp_path: Path, one: Any, two: Any) -> None:
    first, second = (of(tmp_path, [value, *range(1000)]) for value in (one, two))

    assert names(first) == names(second) == [""]
    assert first.digest != second.digest


def shuffled(values: list[Any], kind: type) -> list[Any]:
    """Return sets of these values whose iteration has several orders."""
    return [kind(values[at:] + values[:at]) for at in range(len(values))]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [set, frozenset])
def test_the_order_of_a_set_does_not_count(tmp_path: Path, kind: type, protocol: int) -> None:
    values = [8 * number for number in range(9)]  # in one place of the hash table
    pickles = {pickle.dumps(one, protocol) for one in shuffled(values, kind)}

    found = {content(tmp_path, "a.pkl", one) for one in pickles}

    assert len(pickles) > 1
    assert len(found) == 1


def test_a_set_within_values_and_in_a_set_has_no_order_either(tmp_path: Path) -> None:
    values = [8 * number for number in range(9)]
    found = {of(tmp_path, {"a": [{(one, "x")}]}) for one in shuffled(values, frozenset)}

    assert len(found) == 1
    assert of(tmp_path, {"a": [{(frozenset(values[1:]), "x")}]}) not in found


def test_the_order_of_a_tuple_in_a_set_counts(tmp_path: Path) -> None:
    assert of(tmp_path, {(1, 2)}).digest != of(tmp_path, {(2, 1)}).digest


def test_the_order_of_a_set_does_not_count_from_process_to_process(tmp_path: Path) -> None:
    code = "import pickle, sys; pickle.dump({'a', 'b', 'c', 'd', 'e', 'f'}, sys.stdout.buffer)"
    pickles = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": str(seed)},
            capture_output=True, check=True,
        ).stdout
        for seed in range(1, 6)
    }  # fmt: skip

    assert len(pickles) > 1
    assert len({content(tmp_path, "a.pkl", one) for one in pickles}) == 1


def test_the_bits_of_a_nan_count(tmp_path: Path) -> None:
    bits = [0x7FF8_0000_0000_0000, 0x7FF8_0000_0000_0001]
    quiet, other = struct.unpack("<2d", struct.pack("<2Q", *bits))

    assert of(tmp_path, quiet).digest != of(tmp_path, other).digest


def test_whether_two_texts_or_tuples_are_one_does_not_count(tmp_path: Path) -> None:
    text, pair = "".join(["a", "b"]), (len("a"), 2)

    one = of(tmp_path, {"x": [text, text], "y": {pair: 0}, "z": {pair: 0}})
    two = of(
        tmp_path,
        {"x": [text, "".join(["a", "b"])], "y": {pair: 0}, "z": {(len("a"), 2): 0}},
    )

    assert one == two


def test_values_are_named_by_their_keys(tmp_path: Path) -> None:
    found = names(of(tmp_path, {"model": {"weight": [1.5, 2]}, 3: None, (1, "a"): ()}))

    assert found == [
        "", "model", "model/weight", "model/weight/0", "model/weight/1", "3", 'tuple[1,"a"]',
    ]  # fmt: skip


def test_the_class_and_the_attributes_of_an_object_are_parts(tmp_path: Path) -> None:
    found = of(tmp_path, Thing(a=1))

    assert names(found) == ["", "state", "state/a"]
    assert (
        found.digest
        != content(
            tmp_path, "b.pkl", pickle.dumps(Thing(a=1), 4).replace(b"Thing", b"Thong")
        ).digest
    )


def test_a_long_dict_is_one_part_and_fast(tmp_path: Path) -> None:
    one = of(tmp_path, {str(number): number for number in range(50_000)})
    two = of(tmp_path, {str(number): number + (number == 49_999) for number in range(50_000)})

    assert names(one) == [""]
    assert one.digest != two.digest


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (b"S'5'\n.", b"\x82\x05."),
        (b"S'5'\n.", b"V5\n."),
        (b"cbuiltins\nbytes\n)R.", b"cbuiltins\nbytes\nK\x03\x85R."),
        (b"c_codecs\nencode\n(V\xe9\nVlatin1\ntR.", b"c_codecs\nencode\n(V\xe9\nVutf8\ntR."),
        (b"cx\ny\n)R.", b"cx\ny\n)\x81."),
        (b"cx\ny\n)R.", b"cx\nz\n)R."),
        (b"(cx\ny\no.", b"cx\ny\n)R."),
        (b"Px\n.", b"S'x'\n."),
    ],
)
def test_instructions_that_mean_something_else_differ(
    tmp_path: Path, one: bytes, two: bytes
) -> None:
    assert content(tmp_path, "1.pkl", one).digest != content(tmp_path, "2.pkl", two).digest


def test_the_words_of_values_are_those_of_the_document(tmp_path: Path) -> None:
    words: dict[Any, str] = {
        5: "5",
        2**64: "0x10000000000000000",
        1.0: "float(000000000000f03f)",
        None: "null",
        False: "false",
        'a"ä': '"a\\"ä"',
        b"\x00\xff": "bytes(00ff)",
        len: 'global("builtins len")',
        "a" * 1001: f"text(sha256 {sha256(b'a' * 1001).hexdigest()})",
        b"a" * 1001: f"bytes(sha256 {sha256(b'a' * 1001).hexdigest()})",
        (6, ()): "tuple[6,tuple[]]",
        frozenset([7, 80, 9]): "frozenset[7,80,9]",
    }
    values = [*words, [1], {"a": 2}, *range(1000)]
    lines = [*words.values(), "[1]", '{"a":2}', *map(str, range(1000))]

    (part,) = of(tmp_path, values).parts

    assert part.digest == sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_which_list_stands_twice_counts(tmp_path: Path) -> None:
    one, two = [1], [1]

    assert of(tmp_path, [one, two, one]).digest != of(tmp_path, [one, two, two]).digest


def test_a_loop_ends(tmp_path: Path) -> None:
    thing = Thing()
    thing.me = thing  # type: ignore[attr-defined]

    for value in (loop(), thing):
        assert of(tmp_path, value) == of(tmp_path, value)
    assert of(tmp_path, loop()).digest != of(tmp_path, [1, [1]]).digest


def test_strings_of_python_2_are_read(tmp_path: Path) -> None:
    assert content(tmp_path, "a.pkl", b"(dp0\nS'a'\np1\nL5L\nsS'b'\np2\ng1\ns.").parts


# Attacks


def attacks(marker: str) -> dict[str, bytes]:
    """Return pickles that make the marker when they are loaded, by what they use."""
    path = marker.encode()
    code = f"open({marker!r}, 'w').close()"
    found = {
        f"{name} {protocol}": pickle.dumps(Attack(reduced), protocol)
        for protocol in PROTOCOLS
        for name, reduced in {
            "system": (os.system, (f"touch {marker}",)),
            "exec": (exec, (code,)),
            "eval": (eval, (f"open({marker!r}, 'w').close()",)),
            "popen": (subprocess.run, (["touch", marker],)),
            "in a list": (os.mkdir, (marker,), None, iter([1, 2])),
        }.items()
    }
    return found | {
        "setstate": pickle.dumps(Eager(marker)),
        "inst": b"(S'" + path + b"'\nios\nmkdir\n.",
        "obj": b"(cos\nmkdir\nS'" + path + b"'\no.",
        "stack": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c" + bytes([len(path)]) + path + b"\x85R.",
        "in a key": b"}cos\nmkdir\nS'" + path + b"'\n\x85RI1\ns.",
        "in a set": b"\x80\x04\x8f(cos\nmkdir\nS'" + path + b"'\n\x85R\x90.",
        "dotted": b"\x80\x04\x8c\x02os\x8c\x0apath.os.mkdir\x93\x8c".replace(b"\x0a", b"\x0d")
        + bytes([len(path)]) + path + b"\x85R.",
        "extension": b"\x80\x02\x82\xf0U" + bytes([len(path)]) + path + b"\x85R.",
    }  # fmt: skip


def test_nothing_is_executed_and_the_digest_still_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    monkeypatch.setitem(copyreg._inverted_registry, 0xF0, ("os", "mkdir"))  # type: ignore[attr-defined]
    monkeypatch.setitem(copyreg._extension_cache, 0xF0, os.mkdir)  # type: ignore[attr-defined]

    for name, attack in attacks(str(marker)).items():
        assert content(tmp_path, "a.pkl", attack).parts, name
        assert not marker.exists(), name


def test_those_attacks_work_where_pickles_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    monkeypatch.setitem(copyreg._inverted_registry, 0xF0, ("os", "mkdir"))  # type: ignore[attr-defined]
    monkeypatch.setitem(copyreg._extension_cache, 0xF0, os.mkdir)  # type: ignore[attr-defined]

    for name, attack in attacks(str(marker)).items():
        with contextlib.suppress(AttributeError, TypeError):  # after the deed: it returned no list
            pickle.loads(attack)
        assert marker.exists(), name
        if marker.is_dir():
            marker.rmdir()
        else:
            marker.unlink()


def test_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert content(tmp_path, "a.pkl", b"cevil\nthing\n.").parts
    assert "evil" not in sys.modules


def nested(count: int, one: bytes) -> bytes:
    return b"\x80\x02N" + one * count + b"."


def long_text(code: bytes, count: int) -> bytes:
    text = b"a" * 10**6
    return b"\x80\x04(" + code + struct.pack("<I", len(text)) + text + b"\x94" + b"h\x00" * count


BOMBS = {
    "nested tuples": nested(1_000_000, b"\x85"),
    "nested tuples as a key": b"\x80\x02}" + b"N" + b"\x85" * 1_000_000 + b"Ns.",
    "nested lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "2^100 tuples": b"\x80\x02)" + b"q\x00h\x00\x86" * 100 + b".",
    "2^100 tuples in a set": b"\x80\x04\x8f()" + b"q\x00h\x00\x86" * 100 + b"\x90.",
    "a long text many times": long_text(b"X", 10) + b"l.",
    "a long text very many times": long_text(b"X", 10**5) + b"l.",
    "a long word very many times": long_text(b"T", 10**5) + b"l.",
    "more bytes than there are": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
    "a far place in the memo": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a number of ten million digits": b"I" + b"9" * 10_000_000 + b"\n.",
}


FAR_MORE = "can't be read as pickle: it unfolds to far more than its size"
SAID = {
    "2^100 tuples": FAR_MORE,
    "2^100 tuples in a set": FAR_MORE,
    "a long text many times": "[0-9a-f]{64}",
    "a long text very many times": FAR_MORE,
    "a long word very many times": FAR_MORE,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_no_harm(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.pkl").write_bytes(BOMBS[name])
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "from repro_env import digest; found = digest.of_file('a.pkl');"
        "print(found.by_bytes or found.content.digest)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.fullmatch(SAID.get(name, ".+"), ended.stdout.rstrip())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"N",
        b"NN.",
        b"(N.",
        b"N0N.",  # throws a value away
        b"(N1N.",
        b"(K\x01K\x020t.",
        b")K\x01a.",  # adds to a tuple
        b"\x80\x05\x97.",  # takes a buffer from elsewhere
        b"h\x00.",
        b"\x85.",
        b"Na.",
        b"(Nd.",
        b"\xff.",
        b"ca b\nc\n.",
        b"]q\x00(K\x01eh\x00(K\x02e\x86.",  # changes a list after it was used
        b"]q\x00cbuiltins\nlen\nh\x00\x85Rh\x00K\x02a\x86.",
        b"\x80\x02]]q\x00cx\ny\nh\x00\x85R.",
        pickle.dumps(1) + pickle.dumps(2),
        pickle.dumps(1)[:-1],
    ],
)
def test_what_cannot_be_said_in_a_tree_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, "a.pkl", data).startswith("can't be read as pickle: ")


def test_what_a_list_held_when_it_was_used_counts(tmp_path: Path) -> None:
    used = b"cbuiltins\nlen\nh\x00\x85R"  # the length of the list that is being made
    one_by_one = content(tmp_path, "1.pkl", b"\x80\x02]q\x00K\x01a" + used + b"a.")
    both_at_once = content(tmp_path, "2.pkl", b"\x80\x02]q\x00(K\x01" + used + b"e.")

    assert one_by_one.digest != both_at_once.digest


def test_an_attribute_is_no_entry(tmp_path: Path) -> None:
    value = b"(]q\x00h\x00t"  # which can't be written in words
    built = content(tmp_path, "1.pkl", b"\x80\x02cx\ny\n)R" + value + b"b.")
    added = content(tmp_path, "2.pkl", b"\x80\x02cx\ny\n)R" + value + b"a.")

    assert built.parts[0].digest != added.parts[0].digest


def test_an_argument_that_stands_elsewhere_too_has_parts(tmp_path: Path) -> None:
    found = content(tmp_path, "a.pkl", b"\x80\x02(cx\ny\n]q\x00\x85Rh\x00t.")

    assert [part[:2] for part in found.parts] == [
        ("", "tuple"),
        ("0", "call"),
        ("0/arguments", "tuple"),
        ("0/arguments/0", "list"),
        ("1", "reference"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_random_pickles_never_do_more_than_fail(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    codes = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
    (tmp_path / "a.pkl").write_bytes(
        b"".join(draw.choice([*codes, draw.randbytes(3)]) for _ in range(200)) + b"."
    )

    found = digest.of_file(tmp_path / "a.pkl")

    assert (found.content is None) == bool(found.by_bytes)


# Torch's archives, made by hand


def word(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def integers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def storage(key: str, count: int, kind: str, device: str = "cpu") -> bytes:
    name = f"ctorch\n{kind}Storage\n".encode()
    place = word(key) + word(device) + b"J" + struct.pack("<i", count)
    return b"(" + word("storage") + name + place + b"tQ"


def rebuilt(
    held: bytes,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    grad: bytes = b"\x89",
) -> bytes:
    hooks = b"ccollections\nOrderedDict\n)R"
    place = b"J" + struct.pack("<i", offset) + integers(shape) + integers(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + held + place + grad + hooks + b"tR"


def matrix(
    shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1), offset: int = 0,
    kind: str = "Float", count: int = 6, key: str = "0",
) -> bytes:  # fmt: skip
    return rebuilt(storage(key, count, kind), offset, shape, strides)


def archive(
    path: Path, value: bytes, members: dict[str, bytes], order: str = "little", root: str = "x"
) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{root}/data.pkl", b"\x80\x02" + value + b".")
        file.writestr(f"{root}/byteorder", order)
        file.writestr(f"{root}/version", "3\n")
        for name, data in members.items():
            file.writestr(f"{root}/{name}", data)
    return path


def floats(*values: float, order: str = "<") -> dict[str, bytes]:
    return {"data/0": struct.pack(f"{order}{len(values)}f", *values)}


@pytest.fixture
def torch_of(tmp_path: Path) -> Callable[..., Content]:
    def read(*arguments: Any, **options: Any) -> Content:
        found = digest.of_file(archive(tmp_path / "a.pt", *arguments, **options))
        assert found.content, found.by_bytes
        return found.content

    return read


@pytest.fixture
def torch_refused(tmp_path: Path) -> Callable[..., str]:
    def read(*arguments: Any, **options: Any) -> str:
        found = digest.of_file(archive(tmp_path / "a.pt", *arguments, **options))
        assert found.content is None
        return found.by_bytes

    return read


SIX = floats(1, 2, 3, 4, 5, 6)


def test_a_tensor_is_a_part_by_its_keys(torch_of: Callable[..., Content]) -> None:
    found = torch_of(b"}" + word("model") + matrix() + b"s", SIX)

    expected = sha256(SIX["data/0"]).hexdigest()
    assert [part[:3] for part in found.parts] == [
        ("", "dict", (1,)),
        ("model", "tensor", (2,)),
        ("model", "float32", (2, 3)),
    ]
    assert found.parts[2].digest == expected


@pytest.mark.parametrize(
    ("value", "members", "order"),
    [
        (matrix(strides=(1, 2)), floats(1, 4, 2, 5, 3, 6), "little"),
        (matrix(offset=2, count=8), floats(9, 9, 1, 2, 3, 4, 5, 6), "little"),
        (matrix(strides=(6, 2), count=12), floats(1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0), "little"),
        (matrix(), floats(1, 2, 3, 4, 5, 6, order=">"), "big"),
        (matrix(strides=(1, 2)), floats(1, 4, 2, 5, 3, 6, order=">"), "big"),
    ],
)
def test_where_a_tensor_lies_does_not_count(
    torch_of: Callable[..., Content], value: bytes, members: dict[str, bytes], order: str
) -> None:
    assert torch_of(value, members, order) == torch_of(matrix(), SIX)


def test_the_root_of_the_archive_does_not_count_and_other_members_do(
    torch_of: Callable[..., Content],
) -> None:
    one = torch_of(matrix(), SIX)

    assert torch_of(matrix(), {**SIX, ".data/serialization_id": b"123"}, root="y") == one
    assert torch_of(matrix(), {**SIX, "extra/note": b"123"}).digest != one.digest
    assert torch_of(matrix(), {**SIX, "data/1": b""}).digest != one.digest


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (matrix(), floats(1, 2, 3, 4, 5, 7)),
        (matrix(), floats(-1, 2, 3, 4, 5, 6)),
        (matrix(shape=(3, 2), strides=(2, 1)), SIX),
        (matrix(shape=(6,), strides=(1,)), SIX),
        (matrix(kind="Int"), SIX),
        (rebuilt(storage("0", 6, "Float"), 0, (2, 3), (3, 1), b"\x88"), SIX),
        (rebuilt(storage("0", 6, "Float", "cuda:0"), 0, (2, 3), (3, 1)), SIX),
        (storage("0", 6, "Float"), SIX),
        (b"]" + matrix() + b"a", SIX),
    ],
)
def test_another_tensor_differs(
    torch_of: Callable[..., Content], value: bytes, members: dict[str, bytes]
) -> None:
    assert torch_of(value, members).digest != torch_of(matrix(), SIX).digest


def test_whether_two_tensors_share_their_memory_counts(torch_of: Callable[..., Content]) -> None:
    shared = torch_of(b"(" + matrix() + matrix() + b"t", SIX)
    apart = torch_of(b"(" + matrix() + matrix(key="1") + b"t", {**SIX, "data/1": SIX["data/0"]})
    shifted = torch_of(
        b"(" + matrix((1,), (1,)) + matrix((1,), (1,), 1) + b"t", floats(1, 1, 0, 0, 0, 0)
    )
    on_top = torch_of(
        b"(" + matrix((1,), (1,)) + matrix((1,), (1,)) + b"t", floats(1, 1, 0, 0, 0, 0)
    )

    assert shared.digest != apart.digest
    assert shifted.digest != on_top.digest


@pytest.mark.parametrize(
    ("kind", "dtype", "size"),
    [
        ("Bool", "bool", 1),
        ("Half", "float16", 2),
        ("BFloat16", "bfloat16", 2),
        ("Long", "int64", 8),
        ("ComplexFloat", "complex64", 8),
        ("ComplexDouble", "complex128", 16),
    ],
)
def test_every_kind_of_element_is_put_row_by_row(
    torch_of: Callable[..., Content], kind: str, dtype: str, size: int
) -> None:
    items = [bytes([number]) * size for number in range(6)]
    turned = b"".join(items[number] for number in (0, 3, 1, 4, 2, 5))

    found = torch_of(matrix(strides=(1, 2), kind=kind), {"data/0": turned})

    assert found.parts[1][1:] == (dtype, (2, 3), sha256(b"".join(items)).hexdigest())


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_complex_numbers_are_turned_round_by_their_halves(
    torch_of: Callable[..., Content], size: int
) -> None:
    kind = {2: "Half", 4: "Float", 8: "ComplexFloat", 16: "ComplexDouble"}[size]
    number = min(size, 8) if kind != "ComplexFloat" else 4
    little = bytes(range(6 * size))
    big = b"".join(little[at : at + number][::-1] for at in range(0, len(little), number))

    assert torch_of(matrix(kind=kind), {"data/0": little}) == torch_of(
        matrix(kind=kind), {"data/0": big}, "big"
    )


def test_an_empty_tensor_and_one_number_are_read(torch_of: Callable[..., Content]) -> None:
    empty = torch_of(matrix((0, 3), (3, 1), count=0), {"data/0": b""})
    number = torch_of(matrix((), (), 5), SIX)
    repeated = torch_of(matrix((2, 2), (0, 0), 5), SIX)

    assert empty.parts[1][1:3] == ("float32", (0, 3))
    assert number.parts[1].digest == sha256(SIX["data/0"][20:]).hexdigest()
    assert repeated.parts[1].digest == sha256(SIX["data/0"][20:] * 4).hexdigest()


@pytest.mark.parametrize(
    "value",
    [
        matrix(offset=1),
        matrix(offset=-1),
        matrix(shape=(2, -3)),
        matrix(strides=(3, 2)),
        matrix(strides=(3,)),
        matrix(count=7),
        matrix(key="1"),
        matrix(kind="QInt8", count=24),
        matrix(shape=(2**30, 2**30), strides=(0, 0)),
    ],
)
def test_a_tensor_outside_of_its_storage_is_refused(
    torch_refused: Callable[..., str], value: bytes
) -> None:
    assert torch_refused(value, SIX).startswith("can't be read as torch: ")


def test_programs_and_old_files_are_refused_with_a_reason(
    tmp_path: Path, torch_refused: Callable[..., str]
) -> None:
    program = torch_refused(matrix(), {**SIX, "constants.pkl": b"", "code/x.py": b""})
    old = refused(tmp_path, "a.pth", pickle.dumps(0x1950A86A20F9469CFC6C, 2))

    assert "TorchScript" in program
    assert "no zip archive" in old


def test_an_attack_in_an_archive_is_not_executed(
    tmp_path: Path, torch_of: Callable[..., Content]
) -> None:
    marker = tmp_path / "marker"

    for attack in attacks(str(marker)).values():
        torch_of(attack.removesuffix(b"."), {})
        assert not marker.exists()
