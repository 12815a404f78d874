"""Two archives differ in what they differ in, and in nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from images.archive import Archive
from images.compare import Differences, differences

from tests.conftest import PROJECT
from tests.images.saved import File, Layout, configuration, digest, hard_link, layer, save, symlink

SHARED = layer(File("usr/"), File("usr/big", b"big" * 1000))


def compared(folder: Path, was: bytes, now: bytes) -> Differences:
    """Compare two images of a shared layer and one of their own."""
    save(folder / "a.tar", SHARED, was)
    save(folder / "b.tar", SHARED, now)
    with Archive(folder / "a.tar") as first, Archive(folder / "b.tar") as second:
        return differences(first, second)


def images(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "images", *map(str, arguments)],
        env={"PYTHONPATH": str(PROJECT / "scripts"), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_equal_images_differ_in_nothing(tmp_path: Path) -> None:
    found = compared(tmp_path, layer(File("a", b"1")), layer(File("a", b"1")))

    assert found == Differences([], [], [], [])


@pytest.mark.parametrize(
    ("was", "now", "names"),
    [
        pytest.param(File("f", b"one"), File("f", b"two"), ["content"], id="a byte"),
        pytest.param(File("f", b"one"), File("f", b"four"), ["size", "content"], id="a length"),
        pytest.param(File("f"), File("f", mode=0o4755), ["mode"], id="mode"),
        pytest.param(File("f"), File("f", uid=1000), ["owner"], id="owner"),
        pytest.param(File("f"), File("f", gid=1000), ["owner"], id="group"),
        pytest.param(File("f"), File("f", mtime=1), ["time"], id="time"),
        pytest.param(File("f", mtime=1), File("f", mtime=1.5), ["time"], id="half a second"),
        pytest.param(symlink("f", "a"), symlink("f", "b"), ["link"], id="link"),
        pytest.param(hard_link("f", "a"), hard_link("f", "b"), ["link"], id="hard link"),
        pytest.param(symlink("f", "a"), File("f", b"a", mtime=1), ["kind"], id="kind"),
        pytest.param(File("f/"), File("f/", mode=0o700), ["mode"], id="folder"),
        pytest.param(
            File("f", type=tarfile.CHRTYPE, devminor=3),
            File("f", type=tarfile.CHRTYPE, devminor=5),
            ["link"],
            id="device",
        ),
        pytest.param(
            File("f"),
            File("f", pax_headers={"SCHILY.xattr.user.a": "b"}),
            ["attributes"],
            id="attributes",
        ),
    ],
)
def test_a_difference_has_its_own_name_and_no_other(
    tmp_path: Path, was: File, now: File, names: list[str]
) -> None:
    found = compared(tmp_path, layer(was, File("same")), layer(now, File("same")))

    (changed,) = found.layers
    assert (changed.number, changed.second and changed.second.created_by) == (2, "COPY part2 /")
    assert [(path.path, path.side) for path in changed.paths] == [("f", "both")]
    assert [aspect.name for aspect in changed.paths[0].aspects] == names
    assert (found.config, found.manifest, found.same_values) == ([], [], [])


def test_a_missing_path_is_in_one_image_only(tmp_path: Path) -> None:
    found = compared(tmp_path, layer(File("a"), File("b")), layer(File("b"), File("c")))

    assert [(path.path, path.side) for path in found.layers[0].paths] == [
        ("a", "first"),
        ("c", "second"),
    ]


def test_another_order_is_a_difference_of_no_entry(tmp_path: Path) -> None:
    found = compared(tmp_path, layer(File("a"), File("b")), layer(File("b"), File("a")))

    assert [layer.paths for layer in found.layers] == [[]]
    told = images("verify", tmp_path / "a.tar", tmp_path / "b.tar")
    assert "no entry differs: their order" in told.stdout


def test_a_layer_that_only_one_image_has_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.tar", SHARED)
    save(tmp_path / "b.tar", SHARED, layer(File("new")))

    told = images("verify", tmp_path / "a.tar", tmp_path / "b.tar")

    assert told.returncode == 1
    assert told.stdout.splitlines()[:3] == [
        "layer 2, COPY part2 /:",
        "  the first image has no such layer",
        "  only in the second: new",
    ]


def test_a_shared_layer_is_never_read(tmp_path: Path) -> None:
    """Broken bytes of the right size stand in the layer that both share."""
    for name, content in (("a.tar", b"1"), ("b.tar", b"2")):
        layout = Layout()
        layers = [SHARED, layer(File("f", content))]
        layout.name(layout.add_image(layers, configuration(layers)))
        layout.files[f"blobs/sha256/{digest(SHARED)[7:]}"] = b"?" * len(SHARED)
        layout.write(tmp_path / name)

    with Archive(tmp_path / "a.tar") as first, Archive(tmp_path / "b.tar") as second:
        found = differences(first, second)

    assert [path.path for path in found.layers[0].paths] == ["f"]


def test_a_setting_is_named_by_its_field(tmp_path: Path) -> None:
    was = {"Env": ["PATH=/bin", "SEED=1"], "Labels": {"a": "b"}}
    now = {"Env": ["PATH=/bin", "SEED=2"], "Labels": {"a": "b", "c": "d"}, "Cmd": ["sh"]}
    save(tmp_path / "a.tar", SHARED, settings=was)
    save(tmp_path / "b.tar", SHARED, settings=now)
    with Archive(tmp_path / "a.tar") as first, Archive(tmp_path / "b.tar") as second:
        found = differences(first, second)

    assert [tuple(aspect) for aspect in found.config] == [
        ("config.Cmd", "(absent)", "['sh']"),
        ("config.Env.SEED", "1", "2"),
        ("config.Labels.c", "(absent)", "d"),
    ]
    assert (found.layers, found.manifest) == ([], [])


def test_a_time_in_the_history_is_named(tmp_path: Path) -> None:
    for name, time in (("a.tar", "2026"), ("b.tar", "2027")):
        layout = Layout()
        config = configuration([SHARED])
        config["history"][1]["created"] = time
        layout.name(layout.add_image([SHARED], config))
        layout.write(tmp_path / name)

    with Archive(tmp_path / "a.tar") as first, Archive(tmp_path / "b.tar") as second:
        assert [tuple(aspect) for aspect in differences(first, second).config] == [
            ("history[1].created", "2026", "2027")
        ]


def test_the_same_values_in_other_bytes_are_said_to_be_so(tmp_path: Path) -> None:
    save(tmp_path / "a.tar", SHARED)
    layout = Layout()
    config = configuration([SHARED])
    layout.name(layout.add_image([SHARED], dict(reversed(config.items()))))
    layout.write(tmp_path / "b.tar")

    told = images("verify", tmp_path / "a.tar", tmp_path / "b.tar")

    assert told.returncode == 1
    assert told.stdout.splitlines()[0] == "config: the same values in other bytes"


def test_the_last_line_is_the_verdict(tmp_path: Path) -> None:
    one = save(tmp_path / "a.tar", SHARED)
    other = save(tmp_path / "b.tar", layer(File("f")))
    with Archive(one) as first, Archive(other) as second:
        digests = (first.manifest_digest, second.manifest_digest)

    same, different = images("verify", one, one), images("verify", one, other)

    assert (same.returncode, same.stdout) == (0, f"identical: {digests[0]}\n")
    assert different.returncode == 1
    assert different.stdout.splitlines()[-1] == f"different: {digests[0]} and {digests[1]}"


def test_json_says_the_same(tmp_path: Path) -> None:
    compared(tmp_path, layer(File("f", b"1")), layer(File("f", b"2")))

    told = images("verify", tmp_path / "a.tar", tmp_path / "b.tar", "--json")

    answer = json.loads(told.stdout)
    assert told.returncode == 1
    assert answer["identical"] is False
    assert [path["path"] for path in answer["layers"][0]["paths"]] == ["f"]
    assert answer["layers"][0]["paths"][0]["differs"][0]["name"] == "content"


def test_a_long_list_is_cut_unless_all_is_asked_for(tmp_path: Path) -> None:
    compared(tmp_path, layer(), layer(*(File(f"f{number}") for number in range(163))))
    archives = tmp_path / "a.tar", tmp_path / "b.tar"

    short, long = images("verify", *archives), images("verify", *archives, "--all")

    assert "  and 123 more (--all shows them)" in short.stdout.splitlines()
    assert len(short.stdout.splitlines()) == 1 + 40 + 1 + 1
    assert len(long.stdout.splitlines()) == 1 + 163 + 1


def test_what_can_not_be_answered_is_two_lines_and_status_two(tmp_path: Path) -> None:
    told = images("verify", tmp_path / "missing.tar", tmp_path / "missing.tar")

    assert (told.returncode, told.stdout) == (2, "")
    error, advice = told.stderr.splitlines()
    assert error == f"error: no file {tmp_path / 'missing.tar'}"
    assert advice.startswith("  what to do: ")


def test_a_reader_who_leaves_early_sees_no_traceback(tmp_path: Path) -> None:
    compared(tmp_path, layer(), layer(*(File(f"f{number}" * 20) for number in range(3000))))
    command = [sys.executable, "-m", "images", "verify", "--all"]
    process = subprocess.Popen(
        [*command, tmp_path / "a.tar", tmp_path / "b.tar"],
        env={"PYTHONPATH": str(PROJECT / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
