"""A wheel that holds the program (mattis/bin/mattis) is one for its system; one without is for
any."""

import os

from setuptools import setup

commands = {}
if os.path.isdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mattis", "bin")):
    from setuptools.dist import Distribution

    class WithProgram(Distribution):
        def has_ext_modules(self):
            return True

    try:
        from setuptools.command.bdist_wheel import bdist_wheel
    except ImportError:
        from wheel.bdist_wheel import bdist_wheel

    class Wheel(bdist_wheel):
        def get_tag(self):
            return "py3", "none", super().get_tag()[2]

    commands = {"distclass": WithProgram, "cmdclass": {"bdist_wheel": Wheel}}

setup(**commands)
