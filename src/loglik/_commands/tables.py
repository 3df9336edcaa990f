"""Tables of numbers in files, read and written in blocks: .csv, .csv.gz, .npy, .npz and .parquet, in constant memory.

A table has named columns. Its rows and columns are counted from 1 in errors, as editors and spreadsheets count them.
"""

import contextlib
import csv
import gzip
import io
import itertools
import math
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

__all__ = ["FORMATS", "Table", "open_table", "replacing", "table_writer"]

FORMATS = (".csv", ".csv.gz", ".npy", ".npz", ".parquet")
BLOCK_VALUES = 2**19  # 4 MiB of float64
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))
_DELIMITERS = ",;\t"

Done: TypeAlias = Callable[[int], object]
_Read: TypeAlias = Callable[[list[int], int, Done], Iterator[np.ndarray]]  # of columns, in blocks of so many rows
_Opened: TypeAlias = tuple[Iterator[str], Callable[[], int]]


STANDARD_INPUT = "standard input"
"""The source of a table that can be read once."""


class Table:
    """Rows of numbers: the `names` of the columns, and `blocks` of the chosen ones.

    `total` and what `blocks` reports as done are in `unit`: rows where the file says how many it has, else bytes.
    """

    def __init__(self, source: str, names: Sequence[str], read: _Read, total: int, unit: str) -> None:
        self.source, self.names, self.total, self.unit = source, tuple(names), total, unit
        self._read = read

    def columns(self, wanted: Sequence[str] | None = None) -> list[int]:
        """Indices of the columns with these names, or numbers from 1; all of them for None."""
        if wanted is None:
            return list(range(len(self.names)))
        return [self._column(name.strip()) for name in wanted]

    def _column(self, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        if name.isdecimal() and 1 <= int(name) <= len(self.names):
            return int(name) - 1
        shown = ", ".join(self.names[:20]) + (", …" if len(self.names) > 20 else "")
        raise ValueError(f"{self.source} has no column {name!r}; its {len(self.names)} columns are {shown}")

    def blocks(self, columns: Sequence[int] | None = None, done: Done = lambda _: None) -> Iterator[np.ndarray]:
        """Arrays of shape (rows, columns), float32 or float64, in the order of the file; `done` hears how far it is."""
        chosen = list(range(len(self.names))) if columns is None else list(columns)
        yield from self._read(chosen, max(1, BLOCK_VALUES // max(1, len(chosen))), done)


def open_table(path: str, *, array: str | None = None) -> Table:
    """The table in a file, "-" for commas on standard input; `array` names one of several in an .npz file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If its format is not one of `FORMATS`, or it holds no table of numbers.
    ImportError
        For .parquet without pyarrow.
    """
    name = path.lower()
    if array is not None and not name.endswith(".npz"):
        raise ValueError(f"only an .npz file has named arrays, {path} is none")
    if path == "-" or name.endswith((".csv", ".csv.gz")):
        return _csv_table(path)
    if name.endswith(".npy"):
        return _npy_table(path)
    if name.endswith(".npz"):
        return _npz_table(path, array)
    if name.endswith(".parquet"):
        return _parquet_table(path)
    raise ValueError(f"{path}: the name of a table ends with {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def _numbered(count: int) -> list[str]:
    return [f"x{i + 1}" for i in range(count)]


def _floating(block: np.ndarray) -> np.ndarray:
    """A contiguous native array: float32 stays, float16 becomes float32, the rest float64."""
    dtype = np.float32 if block.dtype.kind == "f" and block.dtype.itemsize <= 4 else np.float64
    return np.ascontiguousarray(block, dtype)


def _check_array(source: str, shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int]:
    """(rows, columns) of an array that is a table."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(f"{source} holds {dtype} instead of real numbers of up to 64 bits")
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] == 0):
        raise ValueError(f"{source} has shape {shape}; a table has rows and columns")
    return shape[0], shape[1] if len(shape) == 2 else 1


# ---------------------------------------------------------------------------------------------------- arrays


def _npy_table(path: str) -> Table:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not an array of numbers in NumPy's format ({error})") from None
    rows, width = _check_array(path, array.shape, array.dtype)
    table = array.reshape(rows, width)

    def read(columns: list[int], step: int, done: Done) -> Iterator[np.ndarray]:
        every = columns == list(range(width))
        for start in range(0, rows, step):
            block = table[start : start + step]
            yield _floating(block if every else block[:, columns])
            done(min(rows, start + step))

    return Table(path, _numbered(width), read, rows, "rows")


def _npz_table(path: str, name: str | None) -> Table:
    """One array of an archive, read as a stream: it may be compressed, and larger than memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.removesuffix(".npy") for entry in archive.namelist() if entry.endswith(".npy")]
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is not an archive of NumPy's arrays ({error})") from None
    if name is None and len(names) != 1:
        raise ValueError(f"{path} holds {len(names)} arrays ({', '.join(names)}): name one with --array")
    name = names[0] if name is None else name
    if name not in names:
        raise ValueError(f"{path} has no array {name!r}; it holds {', '.join(names) or 'none'}")
    source = f"{path}[{name}]"
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
        shape, fortran, dtype = _read_header(stream, source)
    rows, width = _check_array(source, shape, dtype)
    if fortran and width > 1 and rows > 1:
        raise ValueError(f"{source} is stored by columns; save it as .npy, or in C order (numpy.ascontiguousarray)")

    def read(columns: list[int], step: int, done: Done) -> Iterator[np.ndarray]:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            _read_header(stream, source)
            for start in range(0, rows, step):
                count = min(step, rows - start)
                data = stream.read(count * width * dtype.itemsize)
                if len(data) < count * width * dtype.itemsize:
                    raise ValueError(f"{source} ends after row {start + len(data) // (width * dtype.itemsize)} of {rows}")
                yield _floating(np.frombuffer(data, dtype).reshape(count, width)[:, columns])
                done(start + count)

    return Table(source, _numbered(width), read, rows, "rows")


def _read_header(stream: IO[bytes], source: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    formats = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(stream)
        return formats[version](stream)
    except (ValueError, KeyError, EOFError) as error:
        raise ValueError(f"{source} is not an array in NumPy's format ({error})") from None


# ---------------------------------------------------------------------------------------------------- text


def _csv_table(path: str) -> Table:
    """Numbers between commas, semicolons or tabs, with or without a line of names."""
    if path == "-":
        lines: Iterator[str] = iter(sys.stdin)
        first, skipped = _first_line(lines, STANDARD_INPUT)
        return _text_table(STANDARD_INPUT, first, skipped, lambda: contextlib.nullcontext((lines, lambda: 0)), 0)
    with _opened_text(path) as (stream, _):
        first, skipped = _first_line(stream, path)

    @contextlib.contextmanager
    def rest() -> Iterator[_Opened]:
        with _opened_text(path) as (stream, position):
            for _ in range(skipped + 1):
                next(stream)
            yield stream, position

    return _text_table(path, first, skipped, rest, os.path.getsize(path))


@contextlib.contextmanager
def _opened_text(path: str) -> Iterator[_Opened]:
    """The lines of a file, and how many of its bytes are read."""
    with open(path, "rb") as binary:
        unpacked: Any = gzip.GzipFile(fileobj=binary) if path.lower().endswith(".gz") else binary
        with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as stream:
            yield stream, binary.tell


def _first_line(lines: Iterator[str], source: str) -> tuple[str, int]:
    """The first line with something in it, and how many are before it."""
    try:
        for number, line in enumerate(lines):
            if line.strip():
                return line, number
    except (UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise ValueError(f"{source} is not text ({error})") from None
    raise ValueError(f"{source} is empty")


def _text_table(
    source: str, first: str, skipped: int, rest: Callable[[], contextlib.AbstractContextManager[_Opened]], size: int
) -> Table:
    """The first line, the lines before it, and how to open those after it."""
    delimiter = max(_DELIMITERS, key=first.count)
    cells = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
    has_names = any(_number(cell) is None for cell in cells)
    names = [cell or f"x{i + 1}" for i, cell in enumerate(cells)] if has_names else _numbered(len(cells))

    def read(columns: list[int], step: int, done: Done) -> Iterator[np.ndarray]:
        line = skipped + 1 + has_names  # number of the first line of the block
        with rest() as (stream, position):
            lines = stream if has_names else itertools.chain([first], stream)
            try:
                while block := list(itertools.islice(lines, step)):
                    yield _parse(source, block, line, delimiter, names, columns)
                    line += len(block)
                    done(position())
            except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
                raise ValueError(f"{source} cannot be read from line {line} on ({error})") from None

    return Table(source, names, read, size, "B")


def _number(cell: str) -> float | None:
    """Value of a cell, NaN for a missing one, None for what is no number."""
    if cell.lower() in _MISSING:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return None


def _parse(source: str, lines: list[str], line: int, delimiter: str, names: list[str], columns: list[int]) -> np.ndarray:
    """The chosen columns of some lines; `line` is the number of the first one."""
    try:
        # Every column is read, so that a line with one too many or too few is found in each.
        block = np.loadtxt(lines, delimiter=delimiter, quotechar='"', comments=None, ndmin=2)
        if block.shape[1] == len(names) or block.size == 0:
            return block.reshape(-1, len(names))[:, columns]
    except ValueError:
        pass  # missing values, text in a column, or a bad line: said below
    rows = []
    for offset, text in enumerate(lines):
        if not text.strip():
            continue
        cells = next(csv.reader([text], delimiter=delimiter))
        if len(cells) != len(names):
            raise ValueError(f"{source}, line {line + offset}: {len(cells)} values for {len(names)} columns")
        rows.append([_cell(source, line + offset, names[i], cells[i]) for i in columns])
    return np.array(rows, float).reshape(-1, len(columns))


def _cell(source: str, line: int, name: str, text: str) -> float:
    value = _number(text.strip())
    if value is None:
        raise ValueError(f"{source}, line {line}, column {name!r}: {text.strip()!r} is not a number")
    return value


# ---------------------------------------------------------------------------------------------------- parquet


def _parquet_table(path: str) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportError(f"{path}: reading .parquet files needs pyarrow (pip install pyarrow)") from None
    if not Path(path).is_file():
        raise FileNotFoundError(2, os.strerror(2), path)
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise ValueError(f"{path} is not a Parquet file ({error})") from None
    names, rows = file.schema_arrow.names, file.metadata.num_rows

    def read(columns: list[int], step: int, done: Done) -> Iterator[np.ndarray]:
        chosen = [names[i] for i in columns]
        for name in chosen:
            column = file.schema_arrow.field(name).type
            numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
            if not any(check(column) for check in numeric):
                raise ValueError(f"{path}, column {name!r}: {column} instead of numbers")
        row = 0
        for batch in pq.ParquetFile(path).iter_batches(batch_size=step, columns=chosen):
            values = [batch.column(name).to_numpy(zero_copy_only=False) for name in chosen]
            yield _floating(np.stack([np.asarray(v, None if v.dtype.kind in "iuf" else float) for v in values], axis=1))
            row += batch.num_rows
            done(row)

    return Table(path, names, read, rows, "rows")


# ---------------------------------------------------------------------------------------------------- writing

Write: TypeAlias = Callable[[np.ndarray], object]


@contextlib.contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A file that takes its place when it is complete: an error or Ctrl-C leaves what was there before."""
    unfinished = f"{path}.part"
    try:
        file = open(unfinished, "wb")  # noqa: SIM115  (closed below; only opening it is known by the name that was given)
    except OSError as error:
        error.filename = path
        raise
    try:
        with file:
            yield file
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise


@contextlib.contextmanager
def table_writer(path: str | None, names: Sequence[str]) -> Iterator[Write]:
    """A function that takes arrays of shape (rows, len(names)) into a .csv, .npy or .parquet file.

    "-" is commas on standard output, None nowhere. One column makes a one-dimensional .npy file.
    """
    name = "" if path is None else path.lower()
    if path is None:
        yield lambda rows: None
    elif path == "-":
        yield _csv_writer(sys.stdout.write, names)
    elif name.endswith(".csv"):
        with replacing(path) as file:
            yield _csv_writer(lambda text: file.write(text.encode()), names)
    elif name.endswith(".npy"):
        with replacing(path) as file:
            yield from _npy_writer(file, len(names))
    elif name.endswith(".parquet"):
        yield from _parquet_writer(path, names)
    else:
        raise ValueError(f"{path}: the name of an output ends with .csv, .npy or .parquet")


def _csv_writer(write: Callable[[str], object], names: Sequence[str]) -> Write:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(names)
    write(line.getvalue())

    def rows(block: np.ndarray) -> None:
        # the shortest text that gives the same number back, of float32 and of Python's floats
        values = block if block.dtype == np.float32 else block.tolist()
        write("".join(",".join(map(str, row)) + "\n" for row in values))

    return rows


def _npy_writer(file: IO[bytes], width: int) -> Iterator[Write]:
    """The header holds the number of rows: it is written again at the end, in the room that NumPy leaves for it."""
    total, dtype = 0, np.dtype(np.float64)

    def header() -> None:
        file.seek(0)
        shape = (total,) if width == 1 else (total, width)
        fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, fields)

    def rows(block: np.ndarray) -> None:
        nonlocal total, dtype
        if total == 0:
            dtype = block.dtype
            header()
        total += len(block)
        file.write(np.ascontiguousarray(block, dtype).data)

    header()
    yield rows
    header()


def _parquet_writer(path: str, names: Sequence[str]) -> Iterator[Write]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportError(f"{path}: writing .parquet files needs pyarrow (pip install pyarrow)") from None
    with replacing(path) as file:
        writer: Any = None

        def rows(block: np.ndarray) -> None:
            nonlocal writer
            table = pa.table({name: np.ascontiguousarray(block[:, i]) for i, name in enumerate(names)})
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)

        try:
            yield rows
            if writer is None:
                rows(np.zeros((0, len(names))))
        finally:
            if writer is not None:  # before its file is closed, after an error as well
                writer.close()
