"""Random words, uniforms and normals: known answers, addressing, levels, transformation.

Statistics: test_sampling_statistics.py.
"""

import numpy as np
import pytest

import loglik as ll
from loglik import _kernels
from loglik._engine import streams
from loglik._kernels import level_properties

LEVELS = ll.available_isas()
FMA_LEVELS = [level for level in LEVELS if level_properties(level)["fma"]]
DTYPES = [np.float64, np.float32]
KEY, STREAM = 0x0123456789ABCDEF, 0xFEDCBA9876543210
GROUP = {np.float64: 64, np.float32: 128}


def words(key, stream, counter, count, level=None):
    out = np.empty((count, 4), np.uint32)
    _kernels.philox_words(key, stream, counter, out, level)
    return out


def philox_reference(key, stream, counter):
    """Philox4x32-10 in exact integers, from the publication (Salmon et al. 2011, section 3)."""
    low = 2**32 - 1
    x = [counter & low, counter >> 32, stream & low, stream >> 32]
    k = [key & low, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(b >> 32) ^ x[1] ^ k[0], b & low, (a >> 32) ^ x[3] ^ k[1], a & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return x


def draw(fill, dtype, n, *, start=0, key=KEY, stream=STREAM, level=None):
    out = np.empty(n, dtype)
    fill(key, stream, start, out, level)
    return out


# ------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("key", "stream", "counter", "expected"),
    [  # kat_vectors of Random123
        (0, 0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (2**64 - 1, 2**64 - 1, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (0x299F31D0A4093822, 0x0370734413198A2E, 0x85A308D3243F6A88, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_published_known_answers(level, key, stream, counter, expected):
    got = words(key, stream, counter, 1, level)[0]
    assert " ".join(f"{word:08x}" for word in got) == expected


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("counter", [0, 1, 31, 32, 2**32 - 40, 2**63 - 3, 2**64 - 80])
def test_words_are_philox_at_every_counter(level, counter):
    got = words(KEY, STREAM, counter, 80, level)
    assert got.tolist() == [philox_reference(KEY, STREAM, counter + i) for i in range(80)]


# ------------------------------------------------------------------------------------------- order and values


def group_words(dtype, groups=4):
    """The words of the first groups in the order of the sequences (csrc/kernels/random/philox.h)."""
    w = words(KEY, STREAM, 0, 32 * groups).astype(np.uint64).reshape(groups, 32, 4)
    pairs = np.concatenate([w[..., 0] << np.uint64(32) | w[..., 1], w[..., 2] << np.uint64(32) | w[..., 3]], axis=1)
    if dtype is np.float64:
        return pairs
    return np.stack([pairs & np.uint64(2**32 - 1), pairs >> np.uint64(32)], axis=-1).reshape(groups, -1)


def fields(word, low, high):
    """Bits low..high-1 as long doubles."""
    return ((word >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)).astype(np.longdouble)


def uniform_reference(dtype):
    w = group_words(dtype)
    if dtype is np.float64:
        return (1 - fields(w, 62, 63)) / 2 + fields(w, 0, 52) / 2**52 / 2
    return fields(w, 8, 32) / 2**24


def normal_reference(dtype):
    """Box and Muller in long double, and the radii."""
    w = group_words(dtype)
    half = w.shape[1] // 2
    radius_word, angle_word = w[:, :half], w[:, half:]
    if dtype is np.float64:
        u = 1 - uniform_reference(dtype)[:, :half]
        t, swap, turn = fields(angle_word, 0, 52) / 2**52 - 0.5, fields(angle_word, 62, 63), fields(angle_word, 63, 64)
    else:
        k = fields(radius_word, 1, 32).astype(np.float32).astype(np.longdouble)  # rounded twice, as documented
        u = (k / 2**31 + np.longdouble(2) ** -32).astype(np.float32).astype(np.longdouble)
        t = fields(angle_word, 0, 30) / 2**30
        t, swap, turn = np.where(t < 0.5, t, t - 1), fields(angle_word, 30, 31), fields(angle_word, 31, 32)
    r, angle = np.sqrt(-2 * np.log(u)), t * 2 * np.arctan(np.longdouble(1))
    cosine, sine = np.where(swap, np.sin(angle), np.cos(angle)), np.where(swap, np.cos(angle), np.sin(angle))
    r_signed = np.where(turn, -r, r)
    return np.concatenate([r_signed * cosine, r_signed * sine], axis=1).ravel(), np.concatenate([r, r], axis=1).ravel()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_uniforms_are_exactly_the_documented_bits(level, dtype):
    expected = uniform_reference(dtype).ravel()
    assert np.array_equal(draw(_kernels.fill_uniform, dtype, expected.size, level=level).astype(np.longdouble), expected)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_normals_are_box_muller_of_the_words(level, dtype):
    expected, radius = normal_reference(dtype)
    got = draw(_kernels.fill_normal, dtype, expected.size, level=level).astype(np.longdouble)
    # Relative to the radius: the absolute size of what cos and sin multiply.
    error = np.abs(got - expected) / (radius * np.finfo(dtype).eps)
    assert error.max() <= 4


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_laplace_numbers_are_logarithms_of_the_words(level, dtype):
    w = group_words(dtype)
    if dtype is np.float64:
        u, sign = 1 - uniform_reference(dtype), fields(w, 63, 64)
    else:
        k = fields(w, 1, 32).astype(np.float32).astype(np.longdouble)
        u, sign = (k / 2**31 + np.longdouble(2) ** -32).astype(np.float32).astype(np.longdouble), fields(w, 0, 1)
    expected = np.where(sign, np.log(u), -np.log(u)).ravel()
    got = draw(_kernels.fill_laplace, dtype, expected.size, level=level).astype(np.longdouble)
    assert np.all(np.abs(got - expected) <= 4 * np.finfo(dtype).eps * np.abs(expected))
    assert np.array_equal(np.signbit(got), np.signbit(expected))


@pytest.mark.parametrize("fill", [_kernels.fill_uniform, _kernels.fill_normal, _kernels.fill_laplace])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_part_has_the_bits_of_the_whole(fill, dtype, level):
    whole = draw(fill, dtype, 3000, level=level)
    group = GROUP[dtype]
    for start in (0, 1, 7, group - 1, group, group + 1, 1000, 2047):
        for n in (0, 1, 2, 63, group, 2 * group + 3, 900):
            part = draw(fill, dtype, n, start=start, level=level)
            assert part.tobytes() == whole[start : start + n].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_agree_between_levels(dtype):
    uniforms = {draw(_kernels.fill_uniform, dtype, 10_000, level=level).tobytes() for level in LEVELS}
    assert len(uniforms) == 1
    for fill in (_kernels.fill_normal, _kernels.fill_laplace):
        assert len({draw(fill, dtype, 10_000, level=level).tobytes() for level in FMA_LEVELS}) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", [streams.standard_normal, streams.uniform])
def test_arrays_do_not_depend_on_threads(make, dtype):
    shape = (3, 250_001)
    results = []
    for threads in (1, 2, 3, 7):
        with ll.num_threads(threads):
            results.append(make(shape, KEY, dtype=dtype))
    assert all(result.shape == shape and result.dtype == dtype for result in results)
    assert len({result.tobytes() for result in results}) == 1
    out = np.empty(shape, dtype)
    assert make(shape, KEY, dtype=dtype, out=out) is out
    assert out.tobytes() == results[0].tobytes()
    assert make((0, 3), KEY, dtype=dtype).shape == (0, 3)


def test_golden_stream():
    """The stream policy: these change only with a note in the changelog."""
    assert words(1, 2, 3, 1).tolist() == [philox_reference(1, 2, 3)]
    normals = streams.standard_normal((4,), 1)
    np.testing.assert_allclose(normals, normal_golden(), rtol=1e-14)


def normal_golden():
    """First four normals of key 1, stream 0 by the documented formula, in long double."""
    values = []
    for counter in range(4):
        w0, w1, w2, w3 = philox_reference(1, 0, counter)
        a, b = w0 << 32 | w1, w2 << 32 | w3
        u = 1 - np.longdouble((1 - (a >> 62 & 1)) * 2**52 + (a & 2**52 - 1)) / 2**53
        angle = (np.longdouble(b & 2**52 - 1) / 2**52 - 0.5) * 2 * np.arctan(np.longdouble(1))
        sign = -1 if b >> 63 else 1
        values.append(sign * np.sqrt(-2 * np.log(u)) * (np.sin(angle) if b >> 62 & 1 else np.cos(angle)))
    return np.array(values, np.float64)


# ------------------------------------------------------------------------------------------- rng=


def test_a_key_is_one_64_bit_draw():
    generator, twin = np.random.default_rng(3), np.random.default_rng(3)
    key = streams.draw_key("f", generator)
    assert key == int(twin.integers(0, 2**64, dtype=np.uint64))
    assert generator.bit_generator.state == twin.bit_generator.state
    assert streams.draw_key("f", 3) == key
    assert streams.draw_key("f", np.int64(3)) == key
    assert streams.draw_key("f", None) != streams.draw_key("f", None)


@pytest.mark.parametrize("bad", [1.5, "seed", True, np.random.RandomState(1), [1, 2]])
def test_a_bad_rng_is_a_type_error(bad):
    with pytest.raises(TypeError, match=r"^f: rng must be None, an int or a numpy\.random\.Generator, got "):
        streams.draw_key("f", bad)


def test_a_negative_seed_is_a_value_error():
    with pytest.raises(ValueError, match=r"^f: rng as a seed must not be negative, got -1$"):
        streams.draw_key("f", -1)
