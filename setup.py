"""What pyproject.toml cannot say of the build: folders beside the packages go into the wheel, below `zoo/data`."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# What `kerascope deploy render` copies, and what `kerascope zoo pull` offers; `zoo.installation` finds them.
COPIED = (
    *(f"deploy/{name}" for name in ("compose.yaml", "tfserving", "dicom-node", "kubernetes", "prometheus", "grafana")),
    "releases",
)


class BuildWithFolders(build_py):
    """Copies what is there: the build of an image sees only the packages (Dockerfile)."""

    def run(self) -> None:
        super().run()
        for source in () if self.editable_mode else map(Path, COPIED):
            target = Path(self.build_lib, "zoo", "data", source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.is_file():
                shutil.copy(source, target)


setup(cmdclass={"build_py": BuildWithFolders})
