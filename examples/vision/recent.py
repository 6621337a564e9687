"""recent.py - the folder of labelled images as the cameras saw them lately.

The node writes one file a batch and forgets the oldest; trainers read. A file's name is the time it was written, so a
trainer can ask for what was seen since the model began to fail. Files appear by rename: nobody ever reads half of one.
"""
import os
import time
import zipfile
from pathlib import Path

import numpy as np

from images import Images

KEEP_FILES = 64


class RecentImages:
    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, seen: Images) -> None:
        name = f"{time.time_ns():020d}.npz"
        temporary = self.folder / (name + ".part")
        with open(temporary, "wb") as file:
            np.savez(file, pixels=seen.pixels, labels=seen.labels, ids=seen.ids)
        os.replace(temporary, self.folder / name)
        for old in self._files()[:-KEEP_FILES]:
            old.unlink(missing_ok=True)

    def newest(self, count: int, since_s: float = 0.0) -> Images | None:
        """Up to `count` images seen after `since_s` (seconds since the epoch), the newest; None where there is none."""
        parts, taken = [], 0
        for path in reversed(self._files()):
            if taken >= count or int(path.stem) < since_s * 1e9:
                break
            try:
                with np.load(path) as file:
                    parts.append(Images(file["pixels"], file["labels"], file["ids"]))
            except (FileNotFoundError, zipfile.BadZipFile):
                continue  # the node has forgotten it meanwhile
            taken += len(parts[-1].labels)
        if not parts:
            return None
        return Images(*(np.concatenate(column)[:count] for column in zip(*parts)))

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))
