"""A saved image is read as it is, and refused where it is not what it says."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from images.archive import Archive
from images.errors import ImageError

from tests.images.saved import (
    INDEX,
    File,
    Layout,
    configuration,
    digest,
    hard_link,
    layer,
    platform,
    save,
    symlink,
)

HELLO = layer(File("etc/"), File("etc/hello", b"hello", mode=0o640, uid=7, gid=8, mtime=9))


def read_all(path: Path) -> None:
    with Archive(path) as archive:
        for one in archive.layers:
            archive.entries(one)


def refusal(path: Path) -> str:
    """Open and read all of an archive, which must fail; return what was said."""
    with pytest.raises(ImageError) as refused:
        read_all(path)
    assert refused.value.hint
    return str(refused.value)


def write(path: Path, **files: bytes) -> Path:
    layout = Layout()
    layout.name(layout.add_image([HELLO], configuration([HELLO])))
    layout.files.update({name.replace("_json", ".json"): data for name, data in files.items()})
    return layout.write(path)


def test_a_layer_has_the_step_that_made_it(tmp_path: Path) -> None:
    with Archive(save(tmp_path / "a.tar", HELLO, layer())) as archive:
        assert [one.created_by for one in archive.layers] == ["COPY part1 /", "COPY part2 /"]
        assert [one.digest for one in archive.layers] == [digest(HELLO), digest(layer())]
        assert archive.layers[0].size_bytes == len(HELLO)


def test_an_entry_is_what_was_packed(tmp_path: Path) -> None:
    packed = layer(
        File("./etc/hello", b"hello", mode=0o640, uid=7, gid=8, mtime=9),
        symlink("sh", "/bin/dash"),
        hard_link("etc/again", "etc/hello"),
        File("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        File("ping", b"x", pax_headers={"SCHILY.xattr.security.capability": "v", "ctime": "1"}),
    )

    with Archive(save(tmp_path / "a.tar", packed)) as archive:
        entries = archive.entries(archive.layers[0])

    hello = entries["etc/hello"]
    assert hello[:7] == ("file", 0o640, 7, 8, 5, 9, "")
    assert hello.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert (entries["sh"].kind, entries["sh"].link) == ("symbolic link", "/bin/dash")
    assert (entries["etc/again"].kind, entries["etc/again"].link) == ("hard link", "etc/hello")
    assert (entries["null"].kind, entries["null"].link) == ("character device", "1:3")
    assert entries["ping"].attributes == (("SCHILY.xattr.security.capability", "v"),)
    assert hello.attributes == ()


def test_an_empty_layer_holds_nothing(tmp_path: Path) -> None:
    """The builder writes one for a WORKDIR that is there: two blocks of zeros and no more."""
    with Archive(save(tmp_path / "a.tar", b"\0" * 1024)) as archive:
        assert archive.entries(archive.layers[0]) == {}


def test_a_compressed_layer_reads_as_the_plain_one(tmp_path: Path) -> None:
    one = save(tmp_path / "a.tar", HELLO)
    other = save(tmp_path / "b.tar", gzip.compress(HELLO))

    with Archive(one) as plain, Archive(other) as packed:
        assert packed.layers[0].digest != plain.layers[0].digest
        assert packed.entries(packed.layers[0]) == plain.entries(plain.layers[0])


def test_a_zstd_layer_is_refused_by_name(tmp_path: Path) -> None:
    assert "zstd" in refusal(save(tmp_path / "a.tar", b"\x28\xb5\x2f\xfd rest"))


def test_our_platform_is_found_below_an_index_beside_an_attestation(tmp_path: Path) -> None:
    layout = Layout()
    ours = layout.add_image([HELLO], configuration([HELLO]), **platform("linux", "amd64"))
    other = layout.add_image([layer()], configuration([layer()]), **platform("linux", "arm64"))
    proof = layout.add_document({"layers": []}, **platform("unknown", "unknown"))
    index = {"mediaType": INDEX, "manifests": [proof, other, ours]}
    layout.name(layout.add_document(index, mediaType=INDEX))

    with Archive(layout.write(tmp_path / "a.tar")) as archive:
        assert archive.manifest_digest == ours["digest"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        pytest.param(platform("linux", "arm64"), "linux/arm64", id="another"),
        pytest.param(platform("unknown", "unknown"), "none at all", id="attestation"),
    ],
)
def test_an_image_for_another_platform_is_refused(
    tmp_path: Path, named: dict[str, Any], told: str
) -> None:
    layout = Layout()
    layout.name(layout.add_image([HELLO], configuration([HELLO]), **named))

    said = refusal(layout.write(tmp_path / "a.tar"))

    assert said.endswith(f"no image for linux/amd64: {told}")


def test_two_images_in_one_file_are_refused_but_two_names_of_one_are_not(tmp_path: Path) -> None:
    layout = Layout()
    one = layout.add_image([HELLO], configuration([HELLO]))
    two = layout.add_image([], configuration([]))

    layout.name(one, one)
    Archive(layout.write(tmp_path / "a.tar")).close()
    layout.name(one, two)
    assert "holds 2 images" in refusal(layout.write(tmp_path / "b.tar"))


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("sha256:" + "a" * 63, id="63 digits"),
        pytest.param("sha256:" + "a" * 65, id="65 digits"),
        pytest.param("sha256:" + "A" * 64, id="capitals"),
        pytest.param("sha512:" + "a" * 64, id="another algorithm"),
        pytest.param("sha256:" + "a" * 64 + "\n", id="a line more"),
        pytest.param("sha256:../../../etc/passwd", id="a path"),
    ],
)
def test_a_malformed_digest_is_refused(tmp_path: Path, broken: str) -> None:
    index = json.dumps({"manifests": [{"digest": broken, "size": 1}]}).encode()

    assert "is no digest" in refusal(write(tmp_path / "a.tar", index_json=index))


@pytest.mark.parametrize("part", ["config", "layer"])
def test_a_malformed_digest_in_a_manifest_is_refused(tmp_path: Path, part: str) -> None:
    layout = Layout()
    broken = {"digest": "sha256:" + "a" * 63, "size": 1}
    config = layout.add_document({})
    manifests = {
        "config": {"config": broken, "layers": []},
        "layer": {"config": config, "layers": [broken]},
    }
    layout.name(layout.add_document(manifests[part]))

    assert "is no digest" in refusal(layout.write(tmp_path / "a.tar"))


@pytest.mark.parametrize("part", ["manifest", "config"])
def test_a_blob_of_other_bytes_is_refused(tmp_path: Path, part: str) -> None:
    layout = Layout()
    manifest = layout.add_image([HELLO], configuration([HELLO]))
    layout.name(manifest)
    document = json.loads(layout.files[f"blobs/sha256/{manifest['digest'][7:]}"])
    wrong = manifest["digest"] if part == "manifest" else document["config"]["digest"]
    layout.files[f"blobs/sha256/{wrong[7:]}"] += b" "

    assert f"the blob {wrong} holds other bytes" in refusal(layout.write(tmp_path / "a.tar"))


def test_a_missing_layer_is_refused(tmp_path: Path) -> None:
    layout = Layout()
    layout.name(layout.add_image([HELLO], configuration([HELLO])))
    del layout.files[f"blobs/sha256/{digest(HELLO)[7:]}"]

    assert f"the blob {digest(HELLO)} is missing" in refusal(layout.write(tmp_path / "a.tar"))


def test_a_layer_of_another_size_is_refused(tmp_path: Path) -> None:
    layout = Layout()
    layout.name(layout.add_image([HELLO], configuration([HELLO])))
    layout.files[f"blobs/sha256/{digest(HELLO)[7:]}"] += b"more"

    assert f"not {len(HELLO)}" in refusal(layout.write(tmp_path / "a.tar"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no tar at all" * 100, id="no tar"),
        pytest.param(HELLO[:1026], id="half a tar"),
        pytest.param(gzip.compress(HELLO)[:-20], id="half a gzip"),
        pytest.param(b"\x1f\x8b" + b"x" * 2000, id="a broken gzip"),
    ],
)
def test_a_layer_that_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    assert f"layer {digest(content)} can't be read" in refusal(save(tmp_path / "a.tar", content))


@pytest.mark.parametrize(
    "index", [b"{", b"[]", b"{}", b'{"manifests": 1}', b'{"manifests": [1]}', b"\xff"]
)
def test_a_broken_index_is_refused(tmp_path: Path, index: bytes) -> None:
    assert refusal(write(tmp_path / "a.tar", index_json=index))


@pytest.mark.parametrize(
    "manifest", [{}, {"config": 1}, {"config": {}}, {"config": {"digest": "x"}, "layers": {}}]
)
def test_a_broken_manifest_is_refused(tmp_path: Path, manifest: dict[str, Any]) -> None:
    layout = Layout()
    layout.name(layout.add_document(manifest))

    assert refusal(layout.write(tmp_path / "a.tar"))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"hello")
    (tmp_path / "whole.tar").write_bytes(HELLO)
    save(tmp_path / "b.tar", HELLO)
    (tmp_path / "half.tar").write_bytes((tmp_path / "b.tar").read_bytes()[:3000])

    assert "no plain tar archive" in refusal(tmp_path / "a.tar")
    assert "no index.json" in refusal(tmp_path / "whole.tar")
    assert refusal(tmp_path / "half.tar")
    assert "no file" in refusal(tmp_path / "missing.tar")
