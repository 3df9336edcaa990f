"""Dice notation: a small recursive-descent parser whose errors point at the character and say what was expected there.

expression := ["+" | "-"] term (("+" | "-") term)*
term       := factor ("*" factor)*                  one side of each product is an integer
factor     := integer | dice | pool | "(" expression ")" | ("+" | "-") factor
dice       := roll selection* | roll condition
pool       := "{" expression ("," expression)* "}" selection*      each total is an entry
            | "{" roll ("+" roll)* "}" selection*                  each die is an entry
roll       := [integer] "d" (integer | "%" | "F") reroll* ["!"]
reroll     := ("r" | "ro" | "rr") (integer | condition)
selection  := ("k" | "kh" | "kl" | "d" | "dh" | "dl") integer
condition  := (">=" | ">" | "<=" | "<" | "=") integer
"""

import operator
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias, TypeVar

from loglik._dice import pools
from loglik._discrete.variable import Variable, constant, fair_dice, sum_of

_Value: TypeAlias = Variable | int

_MAX_LENGTH = 10_000
_MAX_DEPTH = 50
_MAX_DIGITS = 15

_PLUS, _MINUS, _TIMES = "+", "-−–", "*×"

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {  # the longer ones first
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "≥": operator.ge, "≤": operator.le,
    ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip
_ORDER = "rerolling (r) comes first, then exploding (!), then keeping (k, d) or counting successes (>=)"

_Result = TypeVar("_Result")
_Group: TypeAlias = tuple[int, pools.Weights]


def parse(text: str) -> Variable:
    """The variable that `text` describes; ValueError pointing at the character where that fails."""
    parser = _Parser(text)
    value = parser.expression(0)
    parser.skip_spaces()
    if parser.position < len(text):
        parser.fail_at_rest()
    return value if isinstance(value, Variable) else constant(value)


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
                value = self.compute(place, _sum, value, self.term(depth))
            elif self.take(_MINUS):
                value = self.compute(place, _difference, value, self.term(depth))
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
            if isinstance(value, Variable) and isinstance(other, Variable):
                self.fail(place, "a product needs an integer on one side, these are two rolls")
            value = self.compute(place, _product, value, other)

    def factor(self, depth: int) -> _Value:
        if depth > _MAX_DEPTH:
            self.fail(self.position, f"signs and parentheses are nested more than {_MAX_DEPTH} deep")
        if self.take(_PLUS):
            return self.factor(depth + 1)
        if self.take(_MINUS):
            return _negative(self.factor(depth + 1))
        opened = self.position
        if self.take("("):
            value = self.expression(depth + 1)
            self.skip_spaces()
            if self.position == len(self.text):
                self.fail(opened, "this parenthesis is not closed")
            if not self.take(")"):
                self.fail_at_rest()
            return value
        if self.take("{"):
            return self.pool(opened, depth)
        return self.dice()

    # ------------------------------------------------------------------------------------ dice

    def dice(self) -> _Value:
        """An integer, or dice with all that may stand behind them."""
        start = self.position
        number = self.integer()
        if not self.take("dD"):
            if number is None:
                self.fail(self.position, "expected a number, a die such as d6, or an opening parenthesis")
            return number
        count = 1 if number is None else number
        sides, lowest = self.sides()
        self.skip_spaces()
        if not self.rest().startswith(tuple("rR!kKdD><=≥≤")):
            plain = self.compute(start, fair_dice, count, sides)
            return plain if lowest == 1 else self.compute(start, plain.shifted, (lowest - 1) * count)
        die = self.changed(self.compute(start, pools.fair, sides, lowest))
        place = self.position
        condition = self.condition()
        if condition is not None:
            if die.truncated:
                self.fail(place, "successes of exploding dice are not counted: every roll of a die, or their sum? Games differ")
            die = self.compute(place, pools.successes, die, condition)
            value = self.compute(start, pools.total, count, die)
        elif self.rest()[:1] in tuple("kKdD"):
            if number is None:
                self.fail(start, "keeping and dropping need the number of dice here, for example 4d6kh3")
            value = self.selected(start, [(count, die)])
        else:
            value = self.compute(start, pools.total, count, die)
        self.skip_spaces()
        if self.rest().startswith(tuple("rR!kKdD><=≥≤")):
            self.fail(self.position, f"this cannot stand here: {_ORDER}")
        return value

    def sides(self) -> tuple[int, int]:
        """Number of sides, and the lowest face."""
        self.skip_spaces()
        place = self.position
        if self.take("%"):
            return 100, 1
        if self.take("fF"):
            return 3, -1
        sides = self.integer()
        if sides is None:
            self.fail(place, "expected the number of sides, for example d6 or d%")
        if sides == 0:
            self.fail(place, "a die needs at least one side")
        return sides, 1

    def changed(self, die: pools.Weights) -> pools.Weights:
        """The die with its rerolls and explosion."""
        while True:
            self.skip_spaces()
            place = self.position
            if not self.take("rR"):
                break
            # Some programs write "ro" for a single reroll; "rr" rerolls until it stops in every program that has it.
            forever = self.rest()[:1] in ("r", "R")
            self.position += forever or self.rest()[:1] in ("o", "O")
            condition = self.condition()
            if condition is None:
                face = self.integer()
                if face is None:
                    self.fail(self.position, "expected what is rerolled, for example r1 or r<=2")
                condition = _equal_to(face)
            die = self.compute(place, pools.reroll, die, condition, forever=forever)
        place = self.position
        if self.take("!"):
            die = self.compute(place, pools.explode, die)
        return die

    def condition(self) -> Callable[[int], bool] | None:
        """A comparison with an integer, if one comes next."""
        self.skip_spaces()
        for sign, compare in _COMPARISONS.items():
            if self.rest().startswith(sign):
                self.position += len(sign)
                number = self.integer()
                if number is None:
                    self.fail(self.position, f"expected a number after {sign}")
                return lambda face: compare(face, number)
        return None

    def selected(self, start: int, groups: list[_Group]) -> Variable:
        """The sum of the dice that are left after keeping and dropping."""
        dice = sum(n for n, _ in groups)
        first, last = 0, dice  # places from the highest
        place = start
        while True:
            self.skip_spaces()
            here = self.position
            word = self.rest()[:1].lower()
            if word not in ("k", "d") or not word:
                return self.compute(place, pools.keep, groups, first, last)
            place = here
            self.position += 1
            end = self.rest()[:1].lower()
            if end in ("h", "l") and end:
                self.position += 1
            else:
                end = "h" if word == "k" else "l"
            name = word + end
            verb = "keep" if word == "k" else "drop"
            number = self.integer()
            if number is None:
                self.fail(self.position, f"expected how many dice to {verb}, for example {name}1")
            left = last - first
            if number > left:
                self.fail(here, f"{name}{number} would {verb} {number} dice, but there {_are(left)}")
            if (number if word == "k" else left - number) == 0:
                self.fail(here, f"{name}{number} keeps no dice")
            drop = left - number if word == "k" else number
            if name in ("kh", "dl"):
                last -= drop
            else:
                first += drop

    # ------------------------------------------------------------------------------------ pools

    def pool(self, opened: int, depth: int) -> _Value:
        """What follows an opening brace."""
        groups = self.entries(opened, depth + 1) if self.has_comma() else self.rolls()
        self.skip_spaces()
        if self.position == len(self.text):
            self.fail(opened, "this brace is not closed")
        if not self.take("}"):
            self.fail(self.position, f"expected +, a comma or a closing brace, found {self.text[self.position]!r}")
        return self.selected(opened, groups)

    def has_comma(self) -> bool:
        """Whether a comma comes before the brace that closes this pool."""
        level = 0
        for character in self.rest():
            level += (character in "({") - (character in ")}")
            if level < 0:
                return False
            if level == 0 and character == ",":
                return True
        return False

    def entries(self, opened: int, depth: int) -> list[_Group]:
        """The totals in a pool, each as one die."""
        groups = []
        while True:
            self.skip_spaces()
            place = self.position
            value = self.expression(depth)
            if not isinstance(value, Variable):
                value = constant(value)
            groups.append((1, self.compute(place, pools.as_die, value)))
            if not self.take(","):
                return groups

    def rolls(self) -> list[_Group]:
        """The dice in a pool, and how many there are of each."""
        groups = []
        while True:
            self.skip_spaces()
            start = self.position
            count = self.integer()
            if not self.take("dD"):
                self.fail(start, "expected dice such as 2d6: a pool holds dice with + between them, or totals with commas")
            sides, lowest = self.sides()
            die = self.changed(self.compute(start, pools.fair, sides, lowest))
            groups.append((1 if count is None else count, die))
            if not self.take(_PLUS):
                return groups

    # ------------------------------------------------------------------------------------ characters

    def rest(self) -> str:
        """What has not been read yet, or the next characters of it."""
        return self.text[self.position : self.position + 1000]

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

    def compute(self, place: int, operation: Callable[..., _Result], *values: Any, **options: Any) -> _Result:
        """The result of `operation`; its size limits become errors that point at `place`."""
        try:
            value = operation(*values, **options)
        except (ValueError, MemoryError) as error:
            self.fail(place, str(error).removeprefix("Discrete: ").removeprefix("Discrete.counts: "))
        if isinstance(value, int) and abs(value) > 2**53:
            self.fail(place, "the number is beyond ±2^53")
        return value

    def fail_at_rest(self) -> NoReturn:
        character = self.text[self.position]
        if character in ")}":
            self.fail(self.position, f"this {'parenthesis' if character == ')' else 'brace'} was never opened")
        self.fail(self.position, f"expected +, -, * or the end, found {character!r}")

    def fail(self, place: int, message: str) -> NoReturn:
        first, last = max(0, place - 50), place + 25
        around = ("…" if first else "") + self.text[first:last] + ("…" if last < len(self.text) else "")
        # What has no width of one column would move the mark.
        around = "".join(_plain(character) for character in around)
        mark = " " * (place - first + (first > 0)) + "^"
        raise ValueError(f"dice: {message} (character {place + 1})\n    {around}\n    {mark}")


def _plain(character: str) -> str:
    """A character that takes one column of a terminal: this one, else a space or a replacement."""
    import unicodedata  # only errors need it

    if character.isspace():
        return " "
    narrow = character.isprintable() and unicodedata.east_asian_width(character) not in "WF"
    return character if narrow and not unicodedata.combining(character) else "\N{REPLACEMENT CHARACTER}"


def _are(dice: int) -> str:
    return "is only 1" if dice == 1 else f"are only {dice}"


def _equal_to(face: int) -> Callable[[int], bool]:
    return lambda other: other == face


def _sum(a: _Value, b: _Value) -> _Value:
    if isinstance(a, int):
        return a + b if isinstance(b, int) else b.shifted(a)
    return a.shifted(b) if isinstance(b, int) else sum_of([a, b])


def _negative(value: _Value) -> _Value:
    return -value if isinstance(value, int) else value.negated()


def _difference(a: _Value, b: _Value) -> _Value:
    return _sum(a, _negative(b))


def _product(a: _Value, b: _Value) -> _Value:
    if isinstance(a, int):
        a, b = b, a
    assert isinstance(b, int)
    return a * b if isinstance(a, int) else a.multiplied(b)
