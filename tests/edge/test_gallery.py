"""A gallery keeps people, finds the nearest, and really forgets."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.errors import DataError, MissingInput, OutputError, TransientError, UsageError
from edge.gallery import Gallery
from edge.gallery.file import make_file
from edge.gallery.match import Templates
from edge.stages.identify import unit


def embedding(seed: int, length: int = 128) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal(length).astype(np.float32))


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=root, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.gallery"


@pytest.fixture
def gallery(path: Path) -> Iterator[Gallery]:
    with Gallery.open(path, "r1", create=True) as opened:
        yield opened


def test_keeps_people_for_the_next_time(gallery: Gallery, path: Path) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    gallery.enrol("Ada", embedding(2), masked=True)
    gallery.enrol("Zoë", embedding(3), masked=False)
    gallery.close()
    with Gallery.open(path, "r1") as again:
        people = again.people()
        assert [(p.name, p.templates) for p in people] == [("Ada", 2), ("Zoë", 1)]
        assert people[0].since.endswith("+00:00")
        match = again.match(embedding(2), 0.5)
        assert match.person == "Ada" and match.similarity == pytest.approx(1.0, abs=1e-6)


def test_only_its_owner_may_read_it(gallery: Gallery, path: Path) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]  # no journal stays behind


@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_finds_the_greatest_cosine(count: int, seed: int) -> None:
    rows = np.stack([embedding(seed + i) for i in range(count)])
    probe = embedding(seed + 1000)
    cosines = rows.astype(np.float64) @ probe.astype(np.float64)
    names = tuple(f"person {i}" for i in range(count))
    match = Templates(names, rows).nearest(probe, -1.0)
    assert match.person == names[int(np.argmax(cosines))]
    assert match.similarity == pytest.approx(cosines.max(), abs=1e-5)


def test_below_the_threshold_is_nobody(gallery: Gallery) -> None:
    assert gallery.match(embedding(1), 0.3).person is None
    assert gallery.match(embedding(1), 0.3).similarity == 0.0
    one, other = np.eye(2, 128, dtype=np.float32)
    gallery.enrol("Ada", one, masked=False)
    probe = unit(np.float32(0.6) * one + np.float32(0.8) * other)
    assert gallery.match(probe, 0.59).person == "Ada"
    assert gallery.match(probe, 0.61).person is None
    assert gallery.match(probe, 0.61).similarity == pytest.approx(0.6, abs=1e-6)


def test_forgetting_leaves_no_byte(gallery: Gallery, path: Path) -> None:
    for seed in range(30):
        gallery.enrol("Ada" if seed % 3 else "Grace", embedding(seed), masked=False)
    secret = [embedding(seed).tobytes() for seed in range(30) if seed % 3]
    kept = [embedding(seed).tobytes() for seed in range(30) if not seed % 3]
    content = path.read_bytes()
    assert all(row in content for row in secret + kept) and b"Ada" in content
    assert gallery.forget("Ada") == 20
    content = path.read_bytes()
    # Not whole, and no quarter of it either.
    assert not any(row[i : i + 128] in content for row in secret for i in range(0, 512, 128))
    assert b"Ada" not in content
    assert all(row in content for row in kept)
    assert [person.name for person in gallery.people()] == ["Grace"]
    assert gallery.match(embedding(1), 0.9).person is None
    assert os.listdir(path.parent) == [path.name]


def test_forgetting_a_stranger_changes_nothing(gallery: Gallery) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    assert gallery.forget("Grace") == 0
    assert len(gallery.people()) == 1


def test_a_name_has_one_spelling(gallery: Gallery) -> None:
    gallery.enrol("Zoe\u0308", embedding(1), masked=False)  # e and a separate diaeresis
    gallery.enrol("Zo\u00eb", embedding(2), masked=False)
    assert [(p.name, p.templates) for p in gallery.people()] == [("Zo\u00eb", 2)]
    assert gallery.forget("Zoe\u0308") == 2


@pytest.mark.parametrize("name", ["", " ", "a" * 201, "a\nb", "a\x1b[31m", " Ada", "Ada ", "\0"])
def test_a_name_that_cannot_be_is_refused(gallery: Gallery, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a person's name"):
        gallery.enrol(name, embedding(1), masked=False)
    assert gallery.people() == []


@pytest.mark.parametrize(
    "row",
    [
        np.zeros(128, np.float32),
        np.full(128, np.nan, np.float32),
        np.ones(128, np.float32),
        np.eye(2, 128, dtype=np.float32),
    ],
)
def test_what_is_no_embedding_is_refused(gallery: Gallery, row: NDArray[np.float32]) -> None:
    with pytest.raises(DataError, match="length 1"):
        gallery.enrol("Ada", row, masked=False)
    assert gallery.people() == []


def test_embeddings_of_another_length_are_refused(gallery: Gallery) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    with pytest.raises(DataError, match="128 numbers a template"):
        gallery.enrol("Ada", embedding(1, 64), masked=False)
    with pytest.raises(DataError, match="128 numbers a template"):
        gallery.match(embedding(1, 64), 0.5)


def test_another_revision_is_refused_with_what_to_do(gallery: Gallery, path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Gallery.open(path, "r2")
    assert caught.value.code == "gallery.revision"
    text = str(caught.value)
    assert "'r1'" in text and "'r2'" in text and "into a new gallery" in text


def test_a_missing_gallery_is_named(path: Path) -> None:
    with pytest.raises(MissingInput, match="edge-gallery enrol"):
        Gallery.open(path, "r1")
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be made"):
        Gallery.open(tmp_path / "nowhere" / "people.gallery", "r1", create=True)


# Damaged and foreign files


def _sql(*statements: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return damage


def _foreign(path: Path) -> None:
    path.unlink()
    _sql("CREATE TABLE notes (text TEXT)")(path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def _scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = np.random.default_rng(0).bytes(len(content) - 4096)
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no gallery at all\n" * 300),
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(9000)),
        _foreign,
        _truncate,
        _scribble,
        _folder,
        _sql("PRAGMA application_id = 7"),
        _sql("PRAGMA user_version = 2"),
        _sql("CREATE TRIGGER more AFTER INSERT ON person BEGIN DELETE FROM person; END"),
        _sql("CREATE VIEW more AS SELECT * FROM person"),
        _sql("DELETE FROM about"),
        _sql("UPDATE template SET embedding = zeroblob(511) WHERE id = 1"),
        _sql("UPDATE template SET embedding = zeroblob(512) WHERE id = 1"),
        _sql("UPDATE template SET embedding = zeroblob(1 << 20)"),
        _sql("UPDATE template SET embedding = x'00' WHERE id = 1"),
        _sql("UPDATE template SET embedding = printf('%512s', 'x')"),  # a text of that length
        _sql("UPDATE template SET person = 99"),
        _sql("UPDATE person SET name = x'41'"),
        _sql("UPDATE person SET name = 'a' || char(27) || '[31m'"),
    ],
)
def test_a_file_that_is_no_gallery_is_refused(
    gallery: Gallery, path: Path, damage: Callable[[Path], object]
) -> None:
    for seed in range(20):
        gallery.enrol("Ada", embedding(seed), masked=False)
    gallery.close()
    damage(path)
    with pytest.raises(DataError) as caught:
        Gallery.open(path, "r1")
    assert caught.value.code == "gallery.damaged"
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_gallery_that_another_program_writes_to_says_try_again(
    gallery: Gallery, path: Path
) -> None:
    gallery._connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError, match="another program"):
        gallery.enrol("Ada", embedding(1), masked=False)
    other.close()
    gallery.enrol("Ada", embedding(1), masked=False)
    assert [person.templates for person in gallery.people()] == [1]


def test_a_full_disk_loses_nobody(gallery: Gallery, path: Path) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    gallery.close()
    # A limit on the size of files stands for the full disk.
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from edge.errors import OutputError\n"
        "from edge.gallery import Gallery\n"
        "row = np.eye(1, 128, dtype=np.float32)[0]\n"
        "with Gallery.open(sys.argv[1], 'r1') as gallery:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        "    try:\n"
        "        for i in range(1000):\n"
        "            gallery.enrol(f'person {i}', row, masked=False)\n"
        "    except OutputError as error:\n"
        "        print(error)\n"
        "        sys.exit(error.exit_code)\n"
    )
    done = run_python(code, path)
    assert done.returncode == 73, done.stderr
    assert "cannot be written" in done.stdout
    with Gallery.open(path, "r1") as again:
        assert "Ada" in [person.name for person in again.people()]
        assert again.match(embedding(1), 0.9).person == "Ada"


def test_a_process_that_dies_while_it_makes_one_leaves_no_half_gallery(path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from edge.gallery import Gallery\n"
        "os.link = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Gallery.open(sys.argv[1], 'r1', create=True)\n"
    )
    assert run_python(code, path).returncode == -9
    assert not path.exists()
    with Gallery.open(path, "r1", create=True) as gallery:
        gallery.enrol("Ada", embedding(1), masked=False)


def test_a_process_that_dies_before_its_commit_has_enrolled_nobody(
    gallery: Gallery, path: Path
) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    gallery.close()
    code = (
        "import os, signal, sqlite3, sys\n"
        "from edge.gallery.file import connect\n"
        "connection = connect(sys.argv[1])\n"
        "connection.execute('PRAGMA cache_spill = ON')\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('DELETE FROM person')\n"
        "connection.executemany('INSERT INTO person (name, since) VALUES (?, 0)',"
        " ((f'person {i}',) for i in range(2000)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run_python(code, path).returncode == -9
    journal = path.with_name(path.name + "-journal")
    assert journal.exists() and stat.S_IMODE(journal.stat().st_mode) == 0o600
    with Gallery.open(path, "r1") as again:
        assert [person.name for person in again.people()] == ["Ada"]
        assert again.match(embedding(1), 0.9).person == "Ada"
    assert os.listdir(path.parent) == [path.name]


def test_one_that_another_process_made_meanwhile_is_kept(gallery: Gallery, path: Path) -> None:
    gallery.enrol("Ada", embedding(1), masked=False)
    make_file(path, "r1")
    with Gallery.open(path, "r1") as again:
        assert [person.name for person in again.people()] == ["Ada"]
    assert os.listdir(path.parent) == [path.name]


def test_a_file_system_without_links_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*paths: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with Gallery.open(path, "r1", create=True) as gallery:
        gallery.enrol("Ada", embedding(1), masked=False)
    assert os.listdir(path.parent) == [path.name]


def test_a_commit_is_on_the_disk_before_it_is_told(gallery: Gallery) -> None:
    extra = 3  # https://www.sqlite.org/pragma.html#pragma_synchronous
    assert gallery._connection.execute("PRAGMA synchronous").fetchone() == (extra,)
    assert gallery._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_several_views_are_enrolled_together_or_not_at_all(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g", "r1", create=True) as gallery:
        first, second = np.eye(4, dtype=np.float32)[:2]
        gallery.enrol_all("Ada", [(first, False), (second, True)])
        assert [(p.name, p.templates) for p in gallery.people()] == [("Ada", 2)]
        for wrong in (2 * first, np.eye(3, dtype=np.float32)[0]):
            with pytest.raises(DataError):
                gallery.enrol_all("Grace", [(first, False), (wrong, False)])
        assert [p.name for p in gallery.people()] == ["Ada"]
    with Gallery.open(tmp_path / "empty", "r1", create=True) as gallery:
        with pytest.raises(DataError, match="one length"):
            gallery.enrol_all("Ada", [(first, False), (np.eye(3, dtype=np.float32)[0], False)])
        assert gallery.people() == []
