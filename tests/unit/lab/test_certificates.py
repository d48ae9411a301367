from pathlib import Path

from interlock.lab.certificates import write_private


def test_whoever_reads_a_file_that_is_written_anew_finds_all_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "developer.kubeconfig"
    write_private(path, b"the one before")
    with path.open("rb") as reading:
        write_private(path, b"a new one")
        assert reading.read() == b"the one before"
    assert path.read_bytes() == b"a new one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
