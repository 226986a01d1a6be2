"""The table of cases: one row, one number, one function.

A case is registered by @case("P13", "what is expected"); its number is that of
the conformance list and appears in the output. A case returns when it holds and
raises AssertionError when not. A case that cannot apply to Linsey is registered
with `inapplicable=REASON`: it is listed, with the reason, and counted as such.
"""

import dataclasses
import re
from typing import Callable

# How many numbers each group of the list has.
GROUPS = {"P": 42, "L": 21, "M": 46, "I": 16, "C": 7}


@dataclasses.dataclass
class Case:
    number: str
    text: str
    run: Callable
    inapplicable: str = ""

    @property
    def group(self) -> str:
        return self.number[0]


CASES: dict[str, Case] = {}


def case(number: str, text: str, inapplicable: str = ""):
    """Registers the function below it as the case `number`."""
    def register(function):
        assert number not in CASES, f"{number} is there twice"
        assert re.fullmatch(r"[A-Z][0-9]+", number), number
        CASES[number] = Case(number, text, function, inapplicable)
        return function
    return register


def ordered() -> list[Case]:
    """All cases in the order of the list."""
    order = list(GROUPS)
    return sorted(CASES.values(),
                  key=lambda c: (order.index(c.group), int(c.number[1:])))


def missing() -> list[str]:
    """Numbers of the list that have no case."""
    return [f"{group}{n}" for group, count in GROUPS.items()
            for n in range(1, count + 1) if f"{group}{n}" not in CASES]


def expect(condition, what):
    """An assertion that also holds under python3 -O."""
    if not condition:
        raise AssertionError(what)


def expect_equal(got, wanted, what=""):
    expect(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")
