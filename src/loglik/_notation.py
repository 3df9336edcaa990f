"""Dice notation: a small recursive-descent parser whose errors name the place and what was expected there.

expression := ["+" | "-"] term (("+" | "-") term)*
term       := factor ("*" factor)*                  one side of each product is an integer
factor     := integer | [integer] "d" (integer | "%") | "(" expression ")" | ("+" | "-") factor
"""

import operator
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from loglik.distributions.discrete import Discrete

_Value: TypeAlias = Discrete | int

_MAX_LENGTH = 10_000
_MAX_DEPTH = 50
_MAX_DIGITS = 15

_PLUS, _MINUS, _TIMES = "+", "-−–", "*×"

# What may stand behind NdS in the notation of players, and is not there yet.
_NOT_YET = {
    "k": "keeping dice (kh, kl)",
    "d": "dropping dice (dh, dl)",
    "!": "exploding dice (!)",
    "r": "rerolling (r)",
    ">": "counting successes (>, >=)",
    "<": "counting successes (<, <=)",
    "=": "counting successes (=)",
    "e": "exploding dice (e)",
    "f": "fudge dice (dF)",
}


def parse(text: str) -> Discrete:
    """The distribution that `text` describes; ValueError pointing at the character where that fails."""
    parser = _Parser(text)
    value = parser.expression(0)
    parser.skip_spaces()
    if parser.position < len(text):
        parser.fail_at_rest()
    return value if isinstance(value, Discrete) else Discrete._from_pool({}, value)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0
        if len(text) > _MAX_LENGTH:
            raise ValueError(
                f"dice: the notation has {len(text)} characters, more than the limit of {_MAX_LENGTH}"
            )

    # ------------------------------------------------------------------------------------ grammar

    def expression(self, depth: int) -> _Value:
        value = self.term(depth)
        while True:
            self.skip_spaces()
            place = self.position
            if self.take(_PLUS):
                value = self.compute(place, operator.add, value, self.term(depth))
            elif self.take(_MINUS):
                value = self.compute(place, operator.sub, value, self.term(depth))
            else:
                return value

    def term(self, depth: int) -> _Value:
        value = self.factor(depth)
        while True:
            self.skip_spaces()
            place = self.position
            if not self.take(_TIMES):
                return value
            other = self.factor(depth)
            if isinstance(value, Discrete) and isinstance(other, Discrete):
                self.fail(place, "a product needs an integer on one side, these are two rolls")
            value = self.compute(place, _product, value, other)

    def factor(self, depth: int) -> _Value:
        if depth > _MAX_DEPTH:
            self.fail(self.position, f"signs and parentheses are nested more than {_MAX_DEPTH} deep")
        if self.take(_PLUS):
            return self.factor(depth + 1)
        if self.take(_MINUS):
            return -self.factor(depth + 1)
        opened = self.position
        if self.take("("):
            value = self.expression(depth + 1)
            self.skip_spaces()
            if self.position == len(self.text):
                self.fail(opened, "this parenthesis is not closed")
            if not self.take(")"):
                self.fail_at_rest()
            return value
        start = self.position
        number = self.integer()
        if not self.take("dD"):
            if number is None:
                self.fail(self.position, "expected a number, a die such as d6, or an opening parenthesis")
            return number
        return self.roll(start, 1 if number is None else number)

    def roll(self, start: int, count: int) -> _Value:
        self.skip_spaces()
        place = self.position
        if self.take("%"):
            sides: int | None = 100
        elif self.take("fF"):
            self.fail(place, f"{_NOT_YET['f']} are not supported yet")
        else:
            sides = self.integer()
        if sides is None:
            self.fail(place, "expected the number of sides, for example d6 or d%")
        if sides == 0:
            self.fail(place, "a die needs at least one side")
        self.skip_spaces()
        if self.position < len(self.text) and self.text[self.position].lower() in _NOT_YET:
            verb = _NOT_YET[self.text[self.position].lower()]
            self.fail(
                self.position, f"{verb} is not supported yet; sums and differences of dice and integers are"
            )
        return self.compute(start, Discrete._from_dice, count, sides)

    # ------------------------------------------------------------------------------------ characters

    def skip_spaces(self) -> None:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1

    def take(self, characters: str) -> bool:
        """Step over one of `characters`, and spaces before it, if it comes next."""
        self.skip_spaces()
        found = self.position < len(self.text) and self.text[self.position] in characters
        self.position += found
        return found

    def integer(self) -> int | None:
        self.skip_spaces()
        start = self.position
        while self.position < len(self.text) and self.text[self.position] in "0123456789":
            self.position += 1
        if self.position - start > _MAX_DIGITS:
            self.fail(start, f"a number may have {_MAX_DIGITS} digits at most")
        return int(self.text[start : self.position]) if self.position > start else None

    # ------------------------------------------------------------------------------------ errors

    def compute(self, place: int, operation: Callable[..., _Value], *values: _Value) -> _Value:
        """The result of `operation`; its size limits become errors that point at `place`."""
        try:
            value = operation(*values)
        except ValueError as error:
            self.fail(place, str(error).removeprefix("Discrete: "))
        if isinstance(value, int) and abs(value) > 2**53:
            self.fail(place, "the number is beyond ±2^53")
        return value

    def fail_at_rest(self) -> NoReturn:
        character = self.text[self.position]
        if character == ")":
            self.fail(self.position, "this parenthesis was never opened")
        self.fail(self.position, f"expected +, -, * or the end, found {character!r}")

    def fail(self, place: int, message: str) -> NoReturn:
        first, last = max(0, place - 40), place + 40
        around = ("…" if first else "") + self.text[first:last] + ("…" if last < len(self.text) else "")
        raise ValueError(f"dice: {message} (character {place + 1} of {around!r})")


def _product(a: _Value, b: _Value) -> _Value:
    if isinstance(a, Discrete):
        a, b = b, a
    assert isinstance(a, int)
    return b._times(a) if isinstance(b, Discrete) else a * b
