"""Coefficients of the polynomials in kernels/random/random.h: python csrc/tools/box_muller.py (needs mpmath).

Each is the minimax polynomial of relative error (Remez exchange, 60 digits) over its interval, printed with the
error of the exact coefficients. Rounding them to the element type adds less than half a unit in the last place
of the leading one.
"""

import mpmath as mp

mp.mp.dps = 60


def remez(f, weight, *, low, high, terms, rounds=12):
    """Coefficients c of p(z) = sum c[k] z^k that minimise max |weight(z) (p(z) - f(z))| on [low, high]."""
    n = terms + 1
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / terms) for k in range(n)]
    grid = [low + (high - low) * mp.mpf(k) / 2000 for k in range(2001)]
    for _ in range(rounds):
        matrix = mp.matrix(n, n)
        for i, z in enumerate(points):
            for k in range(terms):
                matrix[i, k] = z**k
            matrix[i, terms] = (-1) ** i / weight(z)
        solution = mp.lu_solve(matrix, mp.matrix([f(z) for z in points]))
        c = [solution[k] for k in range(terms)]
        error = [weight(z) * (mp.polyval(c[::-1], z) - f(z)) for z in grid]
        # One extremum per stretch of equal sign.
        best = []
        for z, e in zip(grid, error, strict=True):
            if best and mp.sign(e) == mp.sign(best[-1][1]):
                if abs(e) > abs(best[-1][1]):
                    best[-1] = (z, e)
            else:
                best.append((z, e))
        if len(best) < n:
            break
        while len(best) > n:
            best.pop(0 if abs(best[0][1]) < abs(best[-1][1]) else -1)
        points = [z for z, _ in best]
    return c, max(abs(e) for e in error)


def log_tail(z):
    """(-4 atanh(s)/s + 4) / s^2 at z = s^2: what follows -4 in -2 log((1+s)/(1-s)) / s."""
    s = mp.sqrt(z)
    return (4 - 4 * mp.atanh(s) / s) / z


def sine(z):
    """sin(t pi/2) / t at z = t^2."""
    t = mp.sqrt(z)
    return mp.sin(t * mp.pi / 2) / t


def cosine_tail(z):
    """(cos(t pi/2) - 1) / t^2 at z = t^2."""
    return (mp.cos(mp.sqrt(z) * mp.pi / 2) - 1) / z


def show(title, f, weight, *, high, terms, single):
    c, error = remez(f, weight, low=high / 1000, high=high, terms=terms)  # at 0 itself a tail's weight is 0
    print(f"{title}: relative error 2^{float(mp.log(error, 2)):.1f}")
    for x in c:
        digits = f"{float(mp.nstr(x, 25)):.17g}" if not single else f"{float(x):.9g}f"
        print(f"    {digits},")


if __name__ == "__main__":
    s_max = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    for single in (False, True):
        name = "f32" if single else "f64"
        log_terms, sin_terms, cos_terms = (3, 4, 3) if single else (7, 7, 6)
        quarter = mp.mpf(1) / 4
        show(f"{name} log tail", log_tail, lambda z: z / 4, high=s_max**2, terms=log_terms, single=single)
        show(f"{name} sine", sine, lambda z: 1 / sine(z), high=quarter, terms=sin_terms, single=single)
        relative = lambda z: z / (1 + z * cosine_tail(z))  # noqa: E731
        show(f"{name} cosine tail", cosine_tail, relative, high=quarter, terms=cos_terms, single=single)
