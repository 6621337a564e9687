"""registry.py - the folder of model versions: v1, v2, ..., and which of them is served.

Versions are pickles: read them only from a folder that nobody else can write to.
"""
import json
import os
import pickle
from pathlib import Path

from model import Classifier


class Registry:
    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def next_version(self) -> str:
        numbers = [int(path.stem[1:]) for path in self.folder.glob("v*.pickle") if path.stem[1:].isdigit()]
        return f"v{max(numbers, default=0) + 1}"

    def save(self, version: str, classifier: Classifier, card: dict) -> Path:
        """Keeps the model, and beside it the card: how it came to be. It is not served before promote()."""
        path = self.folder / f"{version}.pickle"
        self._write(path, pickle.dumps(classifier))
        self._write(self.folder / f"{version}.json", json.dumps(card, indent=2).encode())
        return path

    def load(self, version: str) -> Classifier:
        return pickle.loads((self.folder / f"{version}.pickle").read_bytes())

    def promote(self, version: str) -> None:
        self._write(self.folder / "served", version.encode())

    def served(self) -> str | None:
        try:
            return (self.folder / "served").read_text()
        except FileNotFoundError:
            return None

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(path.name + ".part")
        temporary.write_bytes(data)
        os.replace(temporary, path)
