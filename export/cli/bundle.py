"""``edge-export bundle``: pack a bundle into one file, unpack it, sign it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

__all__ = ["add"]

_EXAMPLES = """\
examples:
  edge-export bundle pack my-bundle --out my.bundle
  edge-export bundle unpack my.bundle --out my-bundle
  edge-export bundle keygen signing.key
  edge-export bundle sign my.bundle --key signing.key
  edge-run --bundle my.bundle --trust signing.key.pub --source picture.jpg
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "bundle",
        help="pack a bundle into one file, unpack it, sign it",
        description="Pack a bundle into one file, unpack it, or sign it for devices to demand.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, run, text in (
        ("pack", _pack, "write a bundle's folder into one file"),
        ("unpack", _unpack, "write a bundle's file into a folder"),
    ):
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        verb.add_argument("bundle", metavar="BUNDLE", type=Path)
        verb.add_argument("--out", metavar="PATH", type=Path, required=True, help="to write")
        verb.set_defaults(run=run)
    sign = verbs.add_parser("sign", help="sign a bundle", description="Sign a bundle (Ed25519).")
    sign.add_argument("bundle", metavar="BUNDLE", type=Path)
    sign.add_argument("--key", metavar="FILE", type=Path, required=True, help="private key")
    sign.set_defaults(run=_sign)
    keygen = verbs.add_parser(
        "keygen", help="make a pair of keys", description="Make a pair of Ed25519 keys."
    )
    keygen.add_argument("key", metavar="FILE", type=Path,
                        help="private key to write (0600); the public one is FILE.pub")  # fmt: skip
    keygen.set_defaults(run=_keygen)


def _pack(options: argparse.Namespace) -> int:
    from export.bundles.pack import pack

    pack(options.bundle, options.out)
    print(options.out)
    return 0


def _unpack(options: argparse.Namespace) -> int:
    from export.bundles.pack import unpack

    unpack(options.bundle, options.out)
    print(options.out)
    return 0


def _sign(options: argparse.Namespace) -> int:
    from export.bundles.sign import sign

    print(sign(options.bundle, options.key).name)
    return 0


def _keygen(options: argparse.Namespace) -> int:
    from export.bundles.sign import make_key

    print(make_key(options.key).name)
    return 0
