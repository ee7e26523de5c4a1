"""Distribution ``unveil-edge``; a bare install pulls only what a device needs."""

from __future__ import annotations

import ast
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
ROOMS = ("edge", "export", "benchmarks", "models")


def version() -> str:
    """Read ``__version__`` of edge/__init__.py without importing it."""
    tree = ast.parse((HERE / "edge" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("edge/__init__.py: __version__ is missing")


# The toolchain serves Python 3.11 and later; on 3.10 (JetPack 6) these extras are empty.
EXPORT = [
    f'{requirement}; python_version >= "3.11"'
    for requirement in (
        "torch>=2.13,<2.14",
        "litert-torch==0.10.0",
        "ai-edge-quantizer==0.10.0",
        "onnx>=1.17",
        "onnxruntime>=1.17",
        "rich>=13.7",
        "safetensors>=0.4",
    )
]

SERVICE_FILES = sorted(
    str(path.relative_to(HERE)) for path in (HERE / "systemd").iterdir() if path.name != "README.md"
)

KERAS = ['tensorflow-cpu==2.21.0; python_version >= "3.11"']

setup(
    name="unveil-edge",
    version=version(),
    description="Faces on small boards: detect, mask state, reconstruction, identity, emotion",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    # models/<name>/ are folders loaded by path from their card, no packages: see docs/decisions.md.
    packages=find_packages(include=[p for room in ROOMS for p in (room, f"{room}.*")]),
    package_data={"edge": ["bundles/default/*"]},
    # What edge-doctor installs beside the package: unit, example configuration, rules.
    data_files=[("share/unveil-edge/systemd", SERVICE_FILES)],
    install_requires=[
        "numpy>=1.24",
        "opencv-python-headless>=4.8,<5",
        "ai-edge-litert>=2.1",
        # Reads the configuration; part of Python from 3.11 on.
        'tomli>=2.0; python_version < "3.11"',
    ],
    extras_require={
        "onnx": ["onnxruntime>=1.17"],
        "mqtt": ["paho-mqtt>=2.0,<3"],
        "metrics": ["prometheus-client>=0.22"],
        # 38 is what Debian 12 and Raspberry Pi OS carry.
        "signed": ["cryptography>=38"],
        "export": EXPORT,
        # Reads Keras files; a second framework, and 1 GB.
        "keras": KERAS,
        "train": EXPORT,
        "demo": ["scikit-image>=0.22"],
        "test": [
            "cryptography>=38",
            "hypothesis>=6.100",
            "mypy>=2.4,<2.5",
            "onnx>=1.17",
            "onnxruntime>=1.17",
            "paho-mqtt>=2.0,<3",
            "prometheus-client>=0.22",
            "pytest>=8.2",
            "pytest-randomly>=3.15",
            "rich>=13.7",
            "ruff>=0.17,<0.18",
            "scikit-image>=0.22",
            "setuptools>=65",
        ],
    },
    entry_points={
        "console_scripts": [
            "edge-run = edge.cli.run:main",
            "edge-gallery = edge.cli.gallery:main",
            "edge-doctor = edge.cli.doctor:main",
            "edge-export = export.cli:main",
            "edge-bench = benchmarks.cli:main",
            "edge-train = models.training.cli:main",
        ]
    },
)
