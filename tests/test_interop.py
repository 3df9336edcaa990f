"""What goes in from other libraries, and what comes back: NumPy arrays from the facade, their own types from raw ufuncs."""

import numpy as np
import pytest

import loglik as ll

A = np.array([0.5, 1.0, 2.0], np.float32)
ROWS = np.array([[0.5, 1.0], [1.0, 3.0], [2.0, 2.0]])


class OnlyDLPack:
    """An array of a library that has nothing but the exchange protocol."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def pandas_series(a):
    return pytest.importorskip("pandas").Series(a, index=range(5, 5 + len(a)))


def pandas_nullable(a):
    return pandas_series(a).astype("Float32" if a.dtype == np.float32 else "Float64")


def polars_series(a):
    return pytest.importorskip("polars").Series("x", a)


def arrow(a):
    return pytest.importorskip("pyarrow").array(a)


def arrow_chunks(a):
    return pytest.importorskip("pyarrow").chunked_array([a[:2], a[2:]])


def xarray_array(a):
    return pytest.importorskip("xarray").DataArray(a, dims="t")


def strict(a):
    return pytest.importorskip("array_api_strict").asarray(a)


COLUMNS = [pandas_series, pandas_nullable, polars_series, arrow, arrow_chunks, xarray_array, strict, OnlyDLPack]
FACADE = {
    "log_prob": lambda x: ll.Normal(0.5, 2.0).log_prob(x),
    "cdf": lambda x: ll.Uniform(0.0, 4.0).cdf(x),
    "vector": lambda x: ll.MultivariateNormal(np.zeros(3), variance=np.ones(3)).log_prob(x),
    "loss": lambda x: ll.bernoulli_nll([0, 1, 1], logits=x, reduction="none"),
    "sum": lambda x: ll.gaussian_nll(x, mean=x, scale=x, weights=x),
    "covariance": lambda x: ll.covariance(x, weights=x),
    "parameter": lambda x: ll.Normal(x, 1.0).loc,
    "fit": lambda x: ll.Normal.fit(x).scale,
    "moments": lambda x: ll.MomentStats(x).variance,
}


@pytest.mark.parametrize("call", FACADE)
@pytest.mark.parametrize("make", COLUMNS)
def test_columns(make, call):
    expected = FACADE[call](A)
    value = FACADE[call](make(A))
    assert type(value) is type(expected)
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables(library):
    module = pytest.importorskip(library)
    columns = {"a": ROWS[:, 0], "b": ROWS[:, 1]}
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    np.testing.assert_array_equal(ll.covariance(table), ll.covariance(ROWS))
    mvn = ll.MultivariateNormal.fit(table)
    assert mvn == ll.MultivariateNormal.fit(ROWS)
    np.testing.assert_array_equal(mvn.log_prob(table), mvn.log_prob(ROWS))


RAW = {pandas_series: "Series", polars_series: "Series", xarray_array: "DataArray", arrow: "ndarray", strict: "ndarray"}


@pytest.mark.parametrize("make", RAW)
def test_raw_ufuncs_return_what_the_library_makes_of_a_ufunc(make):
    value = ll.ufuncs.normal_log_prob(make(A), 0.0, 1.0)
    assert type(value).__name__ == RAW[make]
    np.testing.assert_array_equal(np.asarray(value), ll.ufuncs.normal_log_prob(A, 0.0, 1.0))


def test_xarray_apply_ufunc():
    xr = pytest.importorskip("xarray")
    x = xr.DataArray(ROWS, dims=("time", "variable"), coords={"time": [10, 20, 30]})
    mvn = ll.MultivariateNormal.fit(ROWS)
    value = xr.apply_ufunc(mvn.log_prob, x, input_core_dims=[["variable"]])
    assert value.dims == ("time",)
    np.testing.assert_array_equal(value, mvn.log_prob(ROWS))
    np.testing.assert_array_equal(value.time, x.time)


MISSING = {
    "Int64": lambda: pytest.importorskip("pandas").Series([1, None, 3], dtype="Int64"),
    "Float64": lambda: pytest.importorskip("pandas").Series([1, None, 3], dtype="Float64"),
    "polars": lambda: pytest.importorskip("polars").Series([1, None, 3]),
    "arrow": lambda: pytest.importorskip("pyarrow").array([1, None, 3]),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_values_are_nan(kind):
    column, x = MISSING[kind](), [1.0, np.nan, 3.0]
    np.testing.assert_array_equal(ll.Normal().log_prob(column), ll.Normal().log_prob(x))
    with pytest.raises(ValueError, match=r"x\[1\] = nan"):
        ll.Normal.fit(column)
    assert ll.Normal.fit(column, nan_policy="omit") == ll.Normal.fit(x, nan_policy="omit")


def test_a_frame_of_nullable_and_other_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": pd.Series([1, None, 3], dtype="Int64"), "b": [0.5, 1.5, 2.5]})
    expected = np.array([[1, 0.5], [np.nan, 1.5], [3, 2.5]])
    np.testing.assert_array_equal(ll.Normal().log_prob(frame), ll.Normal().log_prob(expected))
    assert ll.Normal.fit(frame.dropna()) == ll.Normal.fit(expected[[0, 2]])


def test_what_has_no_numbers_is_refused():
    class Elsewhere(OnlyDLPack):
        def __dlpack__(self, **_):
            raise BufferError("on another device")

    for x, match in ((np.ma.array(A), "masked array"), (Elsewhere(A), "another device"), (["a"], "dtype")):
        with pytest.raises(TypeError, match=match):
            ll.Normal().log_prob(x) if not isinstance(x, Elsewhere) else ll.Normal.fit(x)
    pd = pytest.importorskip("pandas")
    for x in (pd.Series(["a", "b"], dtype=object), pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})):
        with pytest.raises(TypeError, match=r"Normal\.fit: x "):
            ll.Normal.fit(x)
