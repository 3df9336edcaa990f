"""Tables in files: the same numbers from every format, in blocks, and errors that say where."""

import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest

from loglik._commands import tables
from loglik._commands.tables import open_table, replacing, table_writer


def everything(path, columns=None, **options):
    table = open_table(str(path), **options)
    chosen = None if columns is None else table.columns(columns)
    blocks = list(table.blocks(chosen))
    return np.concatenate(blocks) if blocks else np.zeros((0, len(chosen or table.names)))


@pytest.fixture
def rows():
    rng = np.random.default_rng(5)
    return rng.standard_normal((1000, 3)) * [1, 1e200, 1e-300]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_VALUES", 256)


def save(path: Path, rows: np.ndarray) -> Path:
    name = path.name
    text = "a,b,c\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())
    if name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".csv"):
        path.write_text(text)
    elif name.endswith(".npy"):
        np.save(path, rows)
    elif name.endswith(".npz"):
        (np.savez_compressed if "packed" in name else np.savez)(path, data=rows)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({name: rows[:, i] for i, name in enumerate("abc")}), path)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.CSV.GZ".lower(), "t.npy", "t.npz", "packed.npz", "t.parquet"])
def test_every_format_gives_the_same_numbers(tmp_path, rows, name):
    path = save(tmp_path / name, rows)
    assert np.array_equal(everything(path), rows)
    table = open_table(str(path))
    assert table.names == (("x1", "x2", "x3") if ".np" in name else ("a", "b", "c"))
    heard: list[int] = []
    blocks = list(table.blocks([2, 0], heard.append))
    assert len(blocks) > 5
    assert np.array_equal(np.concatenate(blocks), rows[:, [2, 0]])
    assert heard == sorted(heard)
    assert heard[-1] == table.total
    assert table.unit == ("B" if ".csv" in name else "rows")
    assert np.array_equal(everything(path, [table.names[1], "3"]), rows[:, [1, 2]])


@pytest.mark.parametrize("dtype", ["f4", "f2", ">f8", "i4", "u1", "?"])
@pytest.mark.parametrize("name", ["t.npy", "t.npz"])
def test_types_of_arrays(tmp_path, dtype, name):
    values = (np.arange(60).reshape(20, 3) % 2).astype(dtype)
    (np.save if name == "t.npy" else np.savez)(tmp_path / name, values)
    got = everything(tmp_path / name)
    assert got.dtype == (np.float32 if dtype in ("f4", "f2") else np.float64)
    assert np.array_equal(got, values)


@pytest.mark.parametrize("order", ["C", "F"])
def test_array_layouts(tmp_path, rows, order):
    np.save(tmp_path / "t.npy", np.asarray(rows, order=order))
    assert np.array_equal(everything(tmp_path / "t.npy"), rows)
    np.savez(tmp_path / "t.npz", one=rows[:, 0], two=np.asarray(rows, order=order))
    assert np.array_equal(everything(tmp_path / "t.npz", array="one"), rows[:, :1])
    if order == "F":
        with pytest.raises(ValueError, match=r"t.npz\[two\] is stored by columns"):
            everything(tmp_path / "t.npz", array="two")


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "1,2\r\n3,4",
        "\n\n1, 2\n\n3 ,4\n\n",
        "a,b\n1,2\n3,4\n",
        "\ufeffa,b\n1,2\n3,4\n",
        "a;b\n1;2\n3;4\n",
        "a\tb\n1\t2\n3\t4\n",
        '"a, of x",b\n"1",2\n3,"4"\n',
        "a,b\n1e0,+2\n3.0,0.4e1\n",
    ],
)
def test_text(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert np.array_equal(everything(tmp_path / "t.csv"), [[1, 2], [3, 4]])


@pytest.mark.parametrize("cell", ["", " ", "NA", "nan", "NULL", "None", "n/a"])
def test_missing_cells_are_nan(tmp_path, cell):
    (tmp_path / "t.csv").write_text(f"a,b\n1,2\n{cell},4\n5,{cell}\n")
    assert np.array_equal(everything(tmp_path / "t.csv"), [[1, 2], [math.nan, 4], [5, math.nan]], equal_nan=True)


def test_text_columns_may_stand_beside_the_chosen_ones(tmp_path):
    (tmp_path / "t.csv").write_text("name,height\nAda,165\nBlaise,\n")
    assert np.array_equal(everything(tmp_path / "t.csv", ["height"]), [[165], [math.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,x\n", r"t.csv, line 3, column 'b': 'x' is not a number"),
        ("\na,b\n1,2\n\n3\n", r"t.csv, line 5: 1 values for 2 columns"),
        ("1,2\n3,4,5\n", r"t.csv, line 2: 3 values for 2 columns"),
        ("", r"t.csv is empty"),
        ("\n \n", r"t.csv is empty"),
    ],
)
def test_bad_text_is_named(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        everything(tmp_path / "t.csv")


def test_a_bad_line_in_a_late_block_has_its_number(tmp_path):
    lines = [f"{i},{i}" for i in range(1000)]
    lines[777] = "777,seven"
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(lines))
    with pytest.raises(ValueError, match="line 779, column 'b': 'seven'"):
        everything(tmp_path / "t.csv")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00a")
    (tmp_path / "t.csv.gz").write_bytes(b"1,2\n")
    (tmp_path / "late.csv").write_bytes(b"1,2\n" * 10_000 + b"\xff\n")
    for name in ("t.csv", "t.csv.gz"):
        with pytest.raises(ValueError, match=f"{name} is not text"):
            everything(tmp_path / name)
    with pytest.raises(ValueError, match=r"late.csv cannot be read from line \d+ on"):
        everything(tmp_path / "late.csv")


def test_bad_arrays_are_named(tmp_path):
    for shape in ((2, 2, 2), (), (3, 0)):
        np.save(tmp_path / "t.npy", np.zeros(shape))
        with pytest.raises(ValueError, match=r"t\.npy has shape"):
            open_table(str(tmp_path / "t.npy"))
    for bad in (np.array(["a"]), np.zeros(2, complex), np.zeros(2, np.longdouble), np.zeros(2, "M8[s]")):
        np.save(tmp_path / "t.npy", bad)
        with pytest.raises(ValueError, match="instead of real numbers"):
            open_table(str(tmp_path / "t.npy"))
    np.save(tmp_path / "t.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="not an array of numbers"):
        open_table(str(tmp_path / "t.npy"))
    (tmp_path / "t.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="not an array of numbers"):
        open_table(str(tmp_path / "t.npy"))


def test_bad_archives_are_named(tmp_path, rows):
    (tmp_path / "t.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="not an archive"):
        open_table(str(tmp_path / "t.npz"))
    np.savez(tmp_path / "t.npz", a=rows, b=rows)
    with pytest.raises(ValueError, match=r"holds 2 arrays \(a, b\): name one with --array"):
        open_table(str(tmp_path / "t.npz"))
    with pytest.raises(ValueError, match="has no array 'c'"):
        open_table(str(tmp_path / "t.npz"), array="c")
    with pytest.raises(ValueError, match=r"only an \.npz file has named arrays"):
        open_table("t.csv", array="c")


def test_bad_names(tmp_path, rows):
    with pytest.raises(ValueError, match=r"t\.txt: the name of a table ends with \.csv, .* or \.parquet"):
        open_table("t.txt")
    with pytest.raises(FileNotFoundError):
        open_table(str(tmp_path / "t.csv"))
    with pytest.raises(FileNotFoundError):
        open_table(str(tmp_path / "t.parquet"))
    table = open_table(str(save(tmp_path / "t.csv", rows)))
    for wanted in ("d", "0", "4", "-1", ""):
        with pytest.raises(ValueError, match=f"has no column {wanted!r}; its 3 columns are a, b, c"):
            table.columns([wanted])


def test_parquet_types(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"i": pa.array([1, None, 3]), "b": pa.array([True, False, None]), "f": pa.array([1.5, 2.5, 3.5], pa.float32())}
    pq.write_table(pa.table({**columns, "s": ["x", "y", "z"]}), tmp_path / "t.parquet")
    got = everything(tmp_path / "t.parquet", ["i", "b", "f"])
    assert np.array_equal(got, [[1, 1, 1.5], [math.nan, 0, 2.5], [3, math.nan, 3.5]], equal_nan=True)
    assert everything(tmp_path / "t.parquet", ["f"]).dtype == np.float32
    with pytest.raises(ValueError, match="column 's': string instead of numbers"):
        everything(tmp_path / "t.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR")
    with pytest.raises(ValueError, match="not a Parquet file"):
        open_table(str(tmp_path / "bad.parquet"))


# ---------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("name", ["t.csv", "t.npy", "t.parquet"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_written_is_read_again(tmp_path, rows, name, dtype):
    rows = np.clip(rows, -1e30, 1e30).astype(dtype)
    with table_writer(str(tmp_path / name), ("a", "b", "c")) as write:
        for start in range(0, 1000, 300):
            write(rows[start : start + 300])
    got = everything(tmp_path / name)
    assert np.array_equal(got.astype(dtype), rows)
    assert sorted(os.listdir(tmp_path)) == [name]


@pytest.mark.parametrize("name", ["t.csv", "t.npy", "t.parquet"])
def test_no_rows(tmp_path, name):
    with table_writer(str(tmp_path / name), ("a", "b")):
        pass
    assert everything(tmp_path / name).shape == (0, 2)


def test_one_column_is_a_vector(tmp_path):
    with table_writer(str(tmp_path / "t.npy"), ("a",)) as write:
        write(np.arange(3.0)[:, None])
    assert np.array_equal(np.load(tmp_path / "t.npy"), [0, 1, 2])


def test_whole_numbers_stay_whole(tmp_path):
    with table_writer(str(tmp_path / "t.csv"), ("a",)) as write:
        write(np.arange(3)[:, None])
    assert (tmp_path / "t.csv").read_text() == "a\n0\n1\n2\n"


@pytest.mark.parametrize("name", ["t.csv", "t.npy", "t.parquet"])
def test_an_error_leaves_what_was_there(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"before")

    def fail():
        with table_writer(str(path), ("a",)) as write:
            write(np.zeros((2, 1)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == [name]


def test_bad_outputs(tmp_path):
    with pytest.raises(ValueError, match=r"ends with \.csv, \.npy or \.parquet"), table_writer("t.txt", ("a",)):
        pass
    with pytest.raises(FileNotFoundError), replacing(str(tmp_path / "no" / "t.csv")):
        pass
