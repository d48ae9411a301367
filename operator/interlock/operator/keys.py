"""Files that are made once, by whichever replica comes first, and are readable by the operator only."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def made_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of the file, which is made (mode 0600) if it is not there yet; all who ask at once get the same."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent) as fresh:
            fresh.write(make())
            fresh.flush()
            os.fsync(fresh.fileno())
            with contextlib.suppress(FileExistsError):  # another replica was faster: its key is the one
                os.link(fresh.name, path)
    return path.read_bytes()
