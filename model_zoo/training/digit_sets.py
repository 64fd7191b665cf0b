"""The handwritten digits that come with scikit-learn: as pictures, sequences, graphs, and traits.

1797 pictures of 8 x 8 grey pixels, 0 to 16. Source: Alpaydin and Kaynak, Optical Recognition of
Handwritten Digits, UCI Machine Learning Repository, 1998.
"""

from collections.abc import Iterable
import io
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image
import pyarrow as pa
from sklearn import datasets

from model_zoo.training.table_sets import make_ids

Random: TypeAlias = np.random.RandomState
# Grey, (pictures, height, width).
Pictures: TypeAlias = np.ndarray
# Of a pixel: 0 is paper, 16 is ink.
_DARKEST = 16
_WHITE = 255
_SIDE = 8
# Fainter ones are the edge of a stroke, and would make graphs of twice as many nodes.
_FAINTEST_NODE = 5
# To the right, down, and along both diagonals; each edge then leads back, too.
_STEPS_TO_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
# Of each kind; so that digits stay the larger part.
_OTHERS_OF_A_KIND = 300
_SEED = 0
_TRAITS = {
    "even": "02468",
    "prime": "2357",
    "round": "0689",
    "large": "56789",
}
_VECTORS = pa.list_(pa.list_(pa.float32()))


class _Digits(NamedTuple):
    """All digits.

    Attributes:
        pixels: float64 (rows, 8, 8), 0 to 16.
        names: what they show, `0` to `9`.
    """

    pixels: np.ndarray
    names: list[str]


def digits() -> pa.Table:
    """Return handwritten digits as pictures.

    Columns: `id` int64, `image` binary (PNG, mode L, scikit-learn's 0..16 stretched to 0..255),
    `digit` string (`0` to `9`).
    """
    found = _load()
    pictures = _stretch(found.pixels)
    images = [encode_png(picture) for picture in pictures]
    columns = {
        "id": make_ids(len(images)),
        "image": pa.array(images, type=pa.binary()),
        "digit": pa.array(found.names),
    }
    return pa.table(columns)


def digit_sequences() -> pa.Table:
    """Return handwritten digits as sequences: a vector of 8 pixels for each of 8 lines.

    Columns: `id` int64, `lines` list<list<float>> (8 x 8, 0 to 1), `digit` string.
    """
    found = _load()
    lines = found.pixels / _DARKEST
    columns = {
        "id": make_ids(len(lines)),
        "lines": _to_vectors(lines),
        "digit": pa.array(found.names),
    }
    return pa.table(columns)


def digit_graphs() -> pa.Table:
    """Return handwritten digits as graphs: dark pixels are nodes, joined to those beside them.

    Columns: `id` int64, `nodes` list<list<float>> (darkness, line and place of a pixel, 0 to 1),
    `sources` and `targets` list<int64> (the numbers of the nodes that each edge leads from and to,
    both ways), `digit` string.
    """
    found = _load()
    nodes = []
    sources = []
    targets = []
    for picture in found.pixels:
        is_node = picture >= _FAINTEST_NODE
        places = np.argwhere(is_node)
        darkness = picture[is_node] / _DARKEST
        where = places / (_SIDE - 1)
        vectors = np.column_stack([darkness, where])
        edges = _join_neighbours(places)
        nodes.append(vectors)
        sources.append(edges[0])
        targets.append(edges[1])
    columns = {
        "id": make_ids(len(nodes)),
        "nodes": _to_vectors(nodes),
        "sources": pa.array(sources),
        "targets": pa.array(targets),
        "digit": pa.array(found.names),
    }
    return pa.table(columns)


def digit_traits() -> pa.Table:
    """Return the pixels of handwritten digits, with what is true of the digit: several labels a row.

    Columns: `id` int64, 64 float64 pixels (`pixel_0_0` to `pixel_7_7`, 0 to 16), and int64 0 or 1
    of `even`, `prime`, `round` (it has a closed loop) and `large` (5 or more).
    """
    found = _load()
    rows = len(found.names)
    columns = {"id": make_ids(rows)}
    for line, place in np.ndindex(_SIDE, _SIDE):
        pixel = found.pixels[:, line, place]
        # Arrow takes over only what lies side by side in memory.
        values = np.ascontiguousarray(pixel)
        columns[f"pixel_{line}_{place}"] = pa.array(values)
    for trait, of_digits in _TRAITS.items():
        is_so = [int(name in of_digits) for name in found.names]
        columns[trait] = pa.array(is_so)
    return pa.table(columns)


def digits_and_others() -> pa.Table:
    """Return pictures of handwritten digits, and others that a detector of outliers should find.

    The others are noise, digits whose pixels were shuffled, and pieces of the two photographs that
    come with scikit-learn (by Raymond Ellis and Zhang Bing, Creative Commons Attribution).

    Columns: `id` int64, `image` binary (PNG, mode L, 8 x 8), `kind` string (`digit` or `other`),
    `source` string (`digits`, `noise`, `shuffled`, `photographs`).
    """
    found = _load()
    # numpy promises of this generator alone that it gives the same numbers for ever.
    random = Random(_SEED)
    grey = _stretch(found.pixels)
    by_source = {
        "digits": grey,
        "noise": _draw_noise(random),
        "shuffled": _shuffle_pixels(grey, random),
        "photographs": _cut_photographs(random),
    }
    images = []
    kinds = []
    sources = []
    for source, pictures in by_source.items():
        kind = "digit" if source == "digits" else "other"
        for picture in pictures:
            images.append(encode_png(picture))
            kinds.append(kind)
            sources.append(source)
    columns = {
        "id": make_ids(len(images)),
        "image": pa.array(images, type=pa.binary()),
        "kind": pa.array(kinds),
        "source": pa.array(sources),
    }
    return pa.table(columns)


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a grey picture, uint8 (height, width), as PNG."""
    sink = io.BytesIO()
    # Stored without compression: what zlib makes of pixels depends on its version, and 64 pixels
    # leave nothing to gain.
    image = Image.fromarray(pixels)
    image.save(sink, format="PNG", compress_level=0)
    return sink.getvalue()


def _load() -> _Digits:
    found = datasets.load_digits()
    names = [str(target) for target in found.target]
    return _Digits(found.images, names)


def _to_vectors(rows: Iterable[np.ndarray]) -> pa.Array:
    """Return lists of lists of float32, of an array (vectors, numbers) for each row."""
    lists = [array.tolist() for array in rows]
    return pa.array(lists, type=_VECTORS)


def _stretch(pixels: Pictures) -> Pictures:
    """Return grey pictures, uint8 (rows, 8, 8), of pixels from 0 to 16."""
    stretched = pixels * (_WHITE / _DARKEST)
    rounded = np.rint(stretched)
    return rounded.astype(np.uint8)


def _join_neighbours(places: np.ndarray) -> np.ndarray:
    """Return the edges between nodes whose pixels touch, int64 (2, edges), both ways.

    Args:
        places: line and place of each node's pixel, (nodes, 2).
    """
    # With a margin, so that a step beyond the picture finds no node.
    side = _SIDE + 2
    number_at = np.full((side, side), -1)
    lines, columns = places.T + 1
    numbers = np.arange(len(places))
    number_at[lines, columns] = numbers
    found = []
    for down, right in _STEPS_TO_NEIGHBOURS:
        neighbours = number_at[lines + down, columns + right]
        is_there = neighbours >= 0
        ends = [numbers[is_there], neighbours[is_there]]
        there = np.stack(ends)
        back = there[::-1]
        found += [there, back]
    return np.concatenate(found, axis=1)


def _draw_noise(random: Random) -> Pictures:
    """Return pictures of which every pixel is any grey, uint8 (pictures, 8, 8)."""
    shape = (_OTHERS_OF_A_KIND, _SIDE, _SIDE)
    noise = random.randint(0, _WHITE + 1, shape)
    return noise.astype(np.uint8)


def _shuffle_pixels(grey: Pictures, random: Random) -> Pictures:
    """Return pictures that are as dark as digits and show none, uint8 (pictures, 8, 8).

    Args:
        grey: digits, uint8 (rows, 8, 8).
        random: of which digits, and of an order of pixels for each.
    """
    chosen = random.choice(len(grey), _OTHERS_OF_A_KIND, replace=False)
    shuffled = []
    for picture in grey[chosen]:
        pixels = picture.ravel()
        in_disorder = random.permutation(pixels)
        shuffled.append(in_disorder.reshape(_SIDE, _SIDE))
    return np.stack(shuffled)


def _cut_photographs(random: Random) -> Pictures:
    """Return pieces of photographs, uint8 (pieces, 8, 8)."""
    photographs = datasets.load_sample_images().images
    pieces_of_each = _OTHERS_OF_A_KIND // len(photographs)
    pieces = []
    for photograph in photographs:
        image = Image.fromarray(photograph)
        grey = np.asarray(image.convert("L"))
        height, width = grey.shape
        for _ in range(pieces_of_each):
            top = random.randint(height - _SIDE)
            left = random.randint(width - _SIDE)
            piece = grey[top : top + _SIDE, left : left + _SIDE]
            pieces.append(piece)
    return np.stack(pieces)
