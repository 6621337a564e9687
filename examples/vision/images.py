"""images.py - real labelled images, split once and for all.

Three pools that share no image:

  training   what the first version is trained on, and what trainers may mix in later;
  feedback   what the cameras see and a person labels: it reaches trainers through the folder of recent images only;
  serving    what the node serves and measures its accuracy on. No trainer ever reads it: trainer.py and strategies.py
             call training() and nothing else of this file.

Fashion-MNIST (Debian's dataset-fashion-mnist, 28 x 28 pixels of clothes) has a test set of its own: serving is taken
from there. Digits (scikit-learn's, 8 x 8 pixels of handwriting) are shuffled by a fixed seed and cut.
"""
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_FILES = {"train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
                 "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")}
FASHION_TRAINING, FASHION_FEEDBACK, FASHION_SERVING = 6000, 8000, 4000
DIGITS_TRAINING, DIGITS_FEEDBACK = 700, 600  # of 1797; the rest is served
DIGITS_SPLIT_SEED = 20260101


class Images(NamedTuple):
    pixels: np.ndarray  # uint8, (count, height, width)
    labels: np.ndarray  # (count,), 0 to 9
    ids: np.ndarray     # (count,), which original image it is: repeated shots of one original share it

    def take(self, rows) -> "Images":
        return Images(self.pixels[rows], self.labels[rows], self.ids[rows])


def available() -> list[str]:
    """Names of the data sets on this machine, the richest first."""
    fashion = all((FASHION / name).exists() for names in FASHION_FILES.values() for name in names)
    return (["fashion"] if fashion else []) + ["digits"]


def training(dataset: str) -> Images:
    return _fashion("train", 0, FASHION_TRAINING) if dataset == "fashion" else _digits(0, DIGITS_TRAINING)


def feedback(dataset: str) -> Images:
    if dataset == "fashion":
        return _fashion("train", FASHION_TRAINING, FASHION_TRAINING + FASHION_FEEDBACK)
    return _digits(DIGITS_TRAINING, DIGITS_TRAINING + DIGITS_FEEDBACK)


def serving(dataset: str) -> Images:
    if dataset == "fashion":
        return _fashion("test", 0, FASHION_SERVING)
    return _digits(DIGITS_TRAINING + DIGITS_FEEDBACK, None)


def _fashion(part: str, first: int, end: int) -> Images:
    pixels, labels = (_idx(FASHION / name)[first:end] for name in FASHION_FILES[part])
    ids = np.arange(first, first + len(labels)) + (1_000_000 if part == "test" else 0)
    return Images(pixels, labels, ids)


def _digits(first: int, end: int | None) -> Images:
    from sklearn.datasets import load_digits
    bunch = load_digits()
    order = np.random.default_rng(DIGITS_SPLIT_SEED).permutation(len(bunch.target))[first:end]
    pixels = np.round(bunch.images[order] * (255 / 16)).astype(np.uint8)
    return Images(pixels, bunch.target[order], order)


def _idx(path: Path) -> np.ndarray:
    """An IDX file: two zero bytes, the type (8: unsigned byte), the number of dimensions, their sizes, the bytes."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
