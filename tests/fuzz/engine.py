"""One target under atheris: ``python -m tests.fuzz.engine TARGET [CORPUS …] [-option=value …]``.

The options are libFuzzer's. atheris takes the process for itself and ends it; ``python -m tests.fuzz``
starts one for each target.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import atheris

PACKAGES = ("gateway.core", "gateway.listener", "gateway.upstream", "gateway.render")
"""What is instrumented: what inputs go through, and what the search for new ones is led by."""


def _instrument() -> None:
    with atheris.instrument_imports(include=["gateway"]):
        for name in PACKAGES:
            package = import_module(name)
            for module in pkgutil.walk_packages(package.__path__, f"{name}."):
                import_module(module.name)


def main(arguments: list[str]) -> None:
    """Run the target that is named first, with libFuzzer's arguments behind it."""
    _instrument()
    from tests.fuzz.targets import TARGETS  # what it imports has to be instrumented by now

    atheris.Setup([sys.argv[0], *arguments[1:]], TARGETS[arguments[0]].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
