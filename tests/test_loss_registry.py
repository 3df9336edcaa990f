"""Checks of every loss, generated from the registry: its pieces, its definition, what it refuses, its types, dask."""

import ast
import functools
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from loss_registry import LOSSES, mp

import loglik as ll
from loglik import _kernels, losses
from loglik._engine.parallel import num_threads
from loglik._kernels import loss_block
from loglik.bench import all_cases, references

ROOT = Path(__file__).parents[1]
N = 300  # values of which each is compared with its definition

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)
first_of_each = pytest.mark.parametrize("loss", {loss.name: loss for loss in LOSSES}.values(), ids=repr)


# ------------------------------------------------------------------------------- the pieces of a loss


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def _names_of_torch() -> tuple[str, ...]:
    """`loglik.torch.__all__`, read without torch."""
    for node in ast.parse(_text("src/loglik/torch.py")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(ast.literal_eval(node.value))
    raise AssertionError("src/loglik/torch.py has no __all__")


@functools.cache
def _benchmarks() -> tuple[str, ...]:
    return tuple(case.name for case in all_cases())


def missing_pieces(name: str) -> list[str]:
    """What the loss lacks, with the places where that belongs."""
    rows = [loss for loss in LOSSES if loss.name == name]
    bench = (rows[0].bench if rows else "") or f"loss.{name}"
    signature = inspect.signature(getattr(losses, name)) if hasattr(losses, name) else None
    readme = next(line for line in _text("README.md").splitlines() if line.startswith("| Losses |"))
    pieces = {
        "a kernel: csrc/kernels/losses/losses_list.h, and LOSSES in src/loglik/_bindings/losses.pxi":
            name in _kernels.LOSSES and f"{name}_task," in _text("csrc/kernels/losses/losses_list.h"),
        "a case of the C tests: csrc/tests/test_losses.c": re.search(rf"\b{name}(_task|\))", _text("csrc/tests/test_losses.c")),
        "a row of the table of docs/torch.md": f"`{name}(" in _text("docs/torch.md"),
        "a name in the group Losses: docs/scripts/api_pages.py": name in _text("docs/scripts/api_pages.py"),
        "a public name: src/loglik/losses.py and src/loglik/__init__.py": name in losses.__all__ and name in ll.__all__,
        "types of all arguments: src/loglik/losses.py": signature and all(
            p.annotation is not p.empty for p in signature.parameters.values()
        ) and signature.return_annotation is not signature.empty,
        "a row: LOSSES in tests/loss_registry.py": rows,
        "a function on tensors: src/loglik/torch.py, with its name in __all__": name in _names_of_torch(),
        "a NumPy reference: src/loglik/bench/references.py": any(
            n.startswith(name) for n in dir(references)
        ),
        f"benchmarks {bench}.sum and {bench}.gradient: loss_cases in src/loglik/bench/cases/losses.py": all(
            any(case.startswith(f"{bench}.{wanted}") for case in _benchmarks()) for wanted in ("sum", "gradient")
        ),
        "a row of the first table of docs/losses.md": f"\n| `{name}` |" in _text("docs/losses.md"),
        'a row of the table "The same call elsewhere" of docs/losses.md': f"\n| `{name}(" in _text("docs/losses.md"),
        'its name in the line "Losses" of README.md': f"`{name}`" in readme,
        "a line in CHANGELOG.md": name in _text("CHANGELOG.md"),
    }  # fmt: skip
    return [piece for piece, there in pieces.items() if not there]


@pytest.mark.parametrize("name", losses.__all__)
def test_a_loss_has_all_its_pieces(name):
    missing = missing_pieces(name)
    assert not missing, f"{name} lacks\n" + "\n".join(f"  - {piece}" for piece in missing)


def test_every_missing_piece_is_reported():
    assert len(missing_pieces("nothing_nll")) == 14


@pytest.mark.parametrize("name", losses.__all__)
def test_a_loss_has_a_row_for_each_of_its_forms(name):
    """The kernel's forms that the function takes as keywords."""
    forms = set(_kernels.LOSS_FORMS) & set(inspect.signature(getattr(losses, name)).parameters)
    assert {loss.form for loss in LOSSES if loss.name == name} == forms


# ------------------------------------------------------------------------------- definitions


def _flat(slope):
    return slope if isinstance(slope, list) else [slope]


@every_loss
def test_the_derivatives_of_the_registry_are_those_of_its_values(loss):
    with mp.workdps(80):
        for row in zip(*loss.sample(np.float64, (3,), seed=2), strict=True):
            entries = [[mp.mpf(float(x)) for x in np.ravel(a)] for a in row]
            scalar = [np.ndim(a) == 0 for a in row]

            def value(entries=entries, scalar=scalar):
                return loss.exact(*(e[0] if one else e for e, one in zip(entries, scalar, strict=True))).value

            slopes = loss.exact(*(e[0] if one else e for e, one in zip(entries, scalar, strict=True))).slopes
            model = entries[len(entries) - len(loss.model) :]
            if loss.form == "logits" and loss.core:
                scale = 1 + mp.fsum(map(abs, model[0]))  # of terms that cancel
            else:
                scale = mp.mpf(1)
            for argument, slope in zip(model, slopes, strict=True):
                for i, exact in enumerate(_flat(slope)):
                    here, h = argument[i], mp.mpf(10) ** -25
                    values = []
                    for x in (here + h, here - h):
                        argument[i] = x
                        values.append(value())
                    argument[i] = here
                    assert abs((values[0] - values[1]) / (2 * h) - exact) < mp.mpf(10) ** -40 * scale * (1 + abs(exact)) ** 3


@functools.cache
def _exact_case(loss, dtype):
    """Arguments over the range of the loss, and what is exact of each value."""
    arguments = loss.draw(np.random.default_rng(5), N if not loss.core else N // 5, dtype)
    return arguments, loss.rows(arguments)


def _assert_close(got, want, size, dtype, bound, terms=1):
    """|got - want| <= bound·u·size, and two steps of the subnormal numbers for each term."""
    unit, least = mp.mpf(float(np.finfo(dtype).eps)) / 2, 2 * terms * mp.mpf(float(np.finfo(dtype).smallest_subnormal))
    assert len(got) == len(want)
    for i, (g, w, s) in enumerate(zip(got, want, size, strict=True)):
        assert abs(mp.mpf(g) - w) <= bound * unit * s + least, (i, g, mp.nstr(w, 20))


def _assert_is_the_definition(loss, dtype, rows, values, gradients):
    value_bound, slope_bound = loss.bounds
    width = len(_flat(rows[0].slopes[0]))
    want = [row.value for row in rows]
    sizes = [abs(row.value) if row.size is None else row.size for row in rows]
    _assert_close(values.tolist(), want, sizes, dtype, value_bound, width)
    for k, gradient in enumerate(gradients):
        slopes = [x for row in rows for x in _flat(row.slopes[k])]
        size = [
            x for row in rows for x in (map(abs, _flat(row.slopes[k])) if row.slope_sizes is None else _flat(row.slope_sizes[k]))
        ]
        _assert_close(np.ravel(gradient).tolist(), slopes, size, dtype, slope_bound)
    return want, sizes


def _block(loss, arguments, level, **outputs):
    """The kernel on contiguous arrays; (sum, first bad entry)."""
    *targets, = arguments[: len(arguments) - len(loss.model)]
    model = tuple(np.ascontiguousarray(a).ravel() for a in arguments[-len(loss.model) :])
    width = arguments[-1].shape[-1] if loss.core else 1
    soft = loss.core and targets and targets[0].dtype.kind == "f"
    sums, bad, _ = loss_block(
        loss.name, loss.form, np.ascontiguousarray(targets[0]) if targets else None, model, width=width, level=level,
        tolerance=1e-5 if soft else 0.0, **outputs,
    )  # fmt: skip
    return sums, bad


@every_loss
def test_values_gradients_and_sums_are_the_definition(loss, level, dtype):
    arguments, rows = _exact_case(loss, dtype)
    values = np.empty(len(rows), dtype)
    gradients = tuple(np.empty(arguments[-1].size, dtype) for _ in loss.model)
    (total,), bad = _block(loss, arguments, level, values=values, gradients=gradients)
    assert bad == -1
    want, sizes = _assert_is_the_definition(loss, dtype, rows, values, gradients)
    for n in (0, 1, 5, 15, 16, 17, 31, 33, len(rows)):  # the sum alone is another loop
        sums, _ = _block(loss, tuple(a[:n] for a in arguments), level)
        _assert_close([sum(sums)], [mp.fsum(want[:n])], [mp.fsum(sizes[:n])], dtype, loss.bounds[0], max(n, 1))
    _assert_close([total], [mp.fsum(want)], [mp.fsum(sizes)], dtype, loss.bounds[0], len(rows))


@every_loss
def test_the_public_function_is_the_definition(loss, dtype):
    arguments, rows = _exact_case(loss, dtype)
    values, gradients = loss(arguments, reduction="none", wrt=loss.model)
    assert values.dtype == dtype
    assert [g.dtype for g in gradients] == [dtype] * len(loss.model)
    assert [g.shape for g in gradients] == [a.shape for a in arguments[-len(loss.model) :]]
    _assert_is_the_definition(loss, dtype, rows, values, gradients)


# ------------------------------------------------------------------------------- NaN, and what is refused


def _replaced(arguments, k, index, entry):
    changed = list(arguments)
    changed[k] = changed[k].copy()
    changed[k][index] = entry
    return changed


@every_loss
def test_nan_reaches_its_value_and_the_sum_only(loss, dtype):
    arguments = loss.sample(dtype, (4, 25))
    clean = loss(arguments, reduction="none")
    for k, name in enumerate(loss.arguments):
        if arguments[k].dtype.kind != "f" or any(a == name and np.isnan(entry) for a, entry, _ in loss.refused):
            continue  # an error
        spoilt = _replaced(arguments, k, (2, 3), np.nan)
        got = loss(spoilt, reduction="none")
        assert np.flatnonzero(np.isnan(got)).tolist() == [2 * 25 + 3], name
        np.testing.assert_array_equal(np.delete(got, 53), np.delete(clean, 53))
        assert np.isnan(loss(spoilt))
        assert np.isnan(loss(spoilt, axis=1)).tolist() == [False, False, True, False]


@every_loss
def test_an_entry_that_is_refused_is_named(loss, dtype):
    arguments = loss.sample(dtype, (40, 25))
    for name, entry, condition in loss.refused:
        k = loss.arguments.index(name)
        place = (20, 3) + (1,) * (arguments[k].ndim - 2)
        bad = _replaced(arguments, k, place, entry)
        bad = _replaced(bad, k, (30, 7, *place[2:]), entry)  # the first is named
        entry = bad[k][place]
        shown = f"{loss.name}: {name} must be {condition}, but {name}[{', '.join(map(str, place))}] = {entry}"
        for keywords in ({}, {"wrt": loss.model}, {"reduction": "none"}, {"axis": 1}, {"weights": np.ones((40, 25))}):
            for threads in (1, 3):
                with num_threads(threads), pytest.raises(ValueError, match=re.escape(shown)) as caught:
                    loss(bad, **keywords)
                assert str(caught.value) == shown
        with pytest.raises(ValueError, match=re.escape(f"{name} must be {condition}")):  # the short way
            loss([np.ascontiguousarray(a[20]) for a in bad], wrt=loss.form)


@first_of_each
def test_exactly_one_form_is_given(loss):
    forms = [other.form for other in LOSSES if other.name == loss.name]
    if len(set(forms)) == 1:
        pytest.skip("one form")
    arguments = dict(zip(loss.arguments, loss.sample(np.float64, (4,)), strict=True))
    function = getattr(ll, loss.name)
    both = arguments | dict.fromkeys(forms, arguments[loss.form])
    for given in (both, {name: a for name, a in arguments.items() if name != loss.form}):
        with pytest.raises(ValueError, match=rf"^{loss.name}: give exactly one of .*{loss.form}"):
            function(**given)


WRONG = [
    ({"reduction": "avg"}, ValueError, "reduction must be"),
    ({"axis": 2}, ValueError, "axis 2 is out of range"),
    ({"axis": 0.5}, TypeError, "axis must be"),
    ({"axis": (0, -2)}, ValueError, "names an axis twice"),
    ({"wrt": "nothing"}, ValueError, "wrt names 'nothing'; a gradient can be taken in: {names}$"),
    ({"wrt": ("{form}", "{form}")}, ValueError, "wrt names '{form}' more than once"),
    ({"wrt": 3}, TypeError, "wrt must be a name or a tuple of names, got 3"),
    ({"out": np.empty(2)}, ValueError, r"out must have shape \(\)"),
    ({"out": np.empty((), int)}, ValueError, "out must have shape .* dtype float64, got .* dtype int64"),
    ({"out": [0.0]}, TypeError, "out must be a numpy.ndarray"),
    ({"out": np.empty(()), "wrt": "{form}"}, TypeError, "out must be a pair"),
    ({"out": (np.empty(()), np.empty(())), "wrt": ("{form}",)}, TypeError, "tuple of the same length"),
    ({"weights": np.ones(3)}, ValueError, "do not broadcast"),
    ({"weights": 1j}, TypeError, "weights has dtype complex128"),
]


@every_loss
@pytest.mark.parametrize("keywords,error,message", WRONG)
def test_wrong_options_are_named(loss, keywords, error, message):
    def filled(value):
        if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
            return tuple(map(filled, value))
        return value.format(form=loss.form) if isinstance(value, str) else value

    message = message.replace("{form}", loss.form).replace("{names}", ", ".join(map(repr, loss.model)))
    for arguments in (loss.sample(np.float64, (4, 5)), [a[::2] for a in loss.sample(np.float64, (8, 5))]):
        with pytest.raises(error, match=message) as caught:
            loss(arguments, **{key: filled(value) for key, value in keywords.items()})
        assert str(caught.value).startswith(f"{loss.name}: ")


@every_loss
def test_wrong_arguments_are_named(loss):
    arguments = loss.sample(np.float64, (4, 5))
    for k, name in enumerate(loss.arguments):
        for wrong in (
            arguments[k].astype(complex), arguments[k].astype(np.longdouble), arguments[k].astype(str),
            arguments[k].astype(object), np.ma.masked_array(arguments[k], mask=False),
        ):  # fmt: skip
            with pytest.raises(TypeError, match=rf"^{loss.name}: {name} (has dtype|is a masked array)"):
                loss([*arguments[:k], wrong, *arguments[k + 1 :]])
        with pytest.raises(ValueError, match=rf"^{loss.name}: .*(broadcast|last axis)"):
            loss([*arguments[:k], arguments[k][:3], *arguments[k + 1 :]] if len(arguments) > 1 else [arguments[k][..., :3]])
    if "targets" in loss.arguments:
        with pytest.raises(TypeError, match=f"^{loss.name}: targets is missing"):
            loss([None, *arguments[1:]])


# ------------------------------------------------------------------------------- types


@every_loss
def test_the_model_decides_the_dtype(loss):
    arguments, first = loss.sample(np.float64, (6,)), len(loss.arguments) - len(loss.model)

    def dtype(model, targets=None):
        given = [a if targets is None or a.dtype.kind != "f" else a.astype(targets) for a in arguments[:first]]
        return loss([*given, *(a.astype(t) for a, t in zip(arguments[first:], model, strict=True))]).dtype

    count = len(loss.model)
    for targets in (None, np.float32, np.float64):
        assert dtype([np.float32] * count, targets) == np.float32
        assert dtype([np.float64] * count, targets) == np.float64
    assert dtype([np.float16] * count) == np.float32
    assert dtype([np.float64, np.float32][:count]) == np.float64
    whole = [np.ones_like(a, np.int64) for a in arguments[first:]]
    assert loss([*arguments[:first], *whole]).dtype == np.float64


@every_loss
def test_inputs_are_not_changed(loss, dtype):
    arguments = loss.sample(dtype, (5, 40))
    before = [a.tobytes() for a in arguments]
    for keywords in ({}, {"reduction": "none"}, {"axis": 0, "weights": np.ones((5, 40))}):
        loss(arguments, wrt=loss.model, **keywords)
    assert [a.tobytes() for a in arguments] == before


# ------------------------------------------------------------------------------- dask


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_dask_arrays_give_what_their_values_give(loss, reduction, weighted, dtype):
    da = pytest.importorskip("dask.array")
    shape = (60, 6)
    arguments = loss.sample(dtype, shape)
    options = {"reduction": reduction}
    if weighted:
        options["weights"] = (np.arange(360) % 4).reshape(shape).astype(float)
    for axis in (None,) if reduction == "none" else (None, -1):
        expected = np.asarray(loss(arguments, axis=axis, **options))
        for k in range(len(arguments)):
            lazy = [da.from_array(a, chunks=(7,) * a.ndim) if i == k else a for i, a in enumerate(arguments)]
            result = loss(lazy, axis=axis, **options)
            assert isinstance(result, da.Array)
            assert result.dtype == expected.dtype
            got = np.asarray(result.compute(scheduler="synchronous"))
            assert got.dtype == expected.dtype
            if reduction == "none":
                np.testing.assert_array_equal(got, expected)
            else:
                np.testing.assert_allclose(got, expected, rtol=8 * np.finfo(dtype).eps, atol=1e-14)
    with pytest.raises(TypeError, match=f"^{loss.name}: wrt has no meaning for dask arrays"):
        loss(lazy, wrt=loss.form)
