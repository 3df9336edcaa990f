"""The data sets that ship with the package, against published facts and checksums of the values."""

import hashlib
from pathlib import Path

import numpy as np

import loglik.data
from loglik.data import load_body, load_digits


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def test_body_matches_the_published_description():
    body = load_body()
    assert {a.shape for a in body} == {(507,)}
    assert body.height.dtype == body.weight.dtype == np.float64
    assert int(body.male.sum()) == 247  # the article: 247 men and 260 women
    assert int((~body.male).sum()) == 260
    assert (body.height.min(), body.height.max()) == (147.2, 198.1)
    assert (body.weight.min(), body.weight.max()) == (42.0, 116.4)
    assert (body.age.min(), body.age.max()) == (18.0, 67.0)
    # Exact sums in tenths: order and every digit of the file.
    assert int(np.rint(body.height * 10).sum()) == 867_699
    assert int(np.rint(body.weight * 10).sum()) == 350_578
    assert int(body.age.sum()) == 15_302
    assert _sha256(np.stack(body[:3])) == "d415eefe97193059"


def test_digits_match_the_published_description():
    digits = load_digits()
    assert digits.images.shape == (1797, 8, 8)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 16)
    # Class distribution of the test set, from the description of the UCI data set.
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert int(digits.images.sum(dtype=np.int64)) == 561_718
    assert _sha256(digits.images) == "8f26b2bd9d135c25"


def test_data_are_small_and_their_licences_stand_beside_them():
    folder = Path(loglik.data.__file__).parent
    data = [p for p in folder.iterdir() if p.suffix in {".csv", ".npz"}]
    assert len(data) == 2
    assert sum(p.stat().st_size for p in data) <= 150_000
    licences = (folder / "LICENSES.md").read_text(encoding="utf-8")
    for path in data:
        assert path.name in licences
    assert "CC BY 4.0" in licences


def test_loading_gives_fresh_arrays():
    load_body().height[:] = 0
    load_digits().images[:] = 0
    assert load_body().height.min() > 100
    assert load_digits().images.max() == 16
