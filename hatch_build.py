"""Builds the compiled core, where there is a C compiler; without one lineside is slower.

It is every `*.pyx`, and each module of `WITH_SOURCES` in streams/core.py.

Extensions lie beside their sources in an editable install, and in the wheel.
"""

import ast
import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("streams", "tables")
FLAGS = ["-O3", "-w"]
WITHOUT = (
    "lineside: the compiled core wasn't built ({}); it runs without, slower."
    " A C compiler and Python's headers are what it takes: gcc and python3-dev."
)


class CompiledCore(BuildHookInterface):  # type: ignore[type-arg]  # no settings of its own
    """Compiles every `*.pyx`; `LINESIDE_CORE=plain` in the environment leaves it out."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in place, and name what was made."""
        root = Path(self.root)
        for stale in [one for package in PACKAGES for one in root.glob(f"{package}/**/*.so")]:
            stale.unlink()
        if os.environ.get("LINESIDE_CORE") == "plain":
            return
        try:
            made = compiled(root)
        except (Exception, SystemExit) as error:  # distutils exits where a compiler fails
            if os.environ.get("LINESIDE_CORE") == "compiled":
                raise
            print(WITHOUT.format(error), file=sys.stderr)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"] += made


def sources(root: Path) -> list[Path]:
    """Return what is compiled, from the repository's root."""
    own = [
        path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.pyx")
    ]
    listed = next(
        ast.literal_eval(node.value)
        for node in ast.parse((root / "streams" / "core.py").read_text("utf-8")).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "WITH_SOURCES"
    )
    also = [Path(*name.split(".")).with_suffix(".py") for name in listed]
    return sorted(own + [path for path in also if path.with_suffix(".pyx") not in own])


def compiled(root: Path) -> list[str]:
    """Compile all extensions in place; return their paths from `root`."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    here = Path.cwd()
    os.chdir(root)
    try:
        extensions = [
            Extension(
                ".".join(path.with_suffix("").parts),
                [str(path)],
                extra_compile_args=FLAGS,
            )
            for path in sources(Path())
        ]
        build = Path(".cache") / "cython"
        distribution = Distribution(
            {
                "ext_modules": cythonize(
                    extensions,
                    build_dir=str(build),
                    nthreads=os.cpu_count() or 1,
                    quiet=True,
                    force=True,  # it knows not all that a *.pxd is read for, and sizes would differ
                    compiler_directives={"language_level": "3", "annotation_typing": False},
                )
            }
        )
        command = distribution.get_command_obj("build_ext")
        command.inplace, command.force = 1, True
        command.build_temp = command.build_lib = str(build)
        command.parallel = os.cpu_count() or 1
        command.ensure_finalized()
        command.run()
        return sorted(str(path) for package in PACKAGES for path in Path(package).rglob("*.so"))
    finally:
        os.chdir(here)


if __name__ == "__main__":
    print("\n".join(compiled(Path(__file__).parent)))
