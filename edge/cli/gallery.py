"""edge-gallery: enrol people, list them, forget them."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.common import TRUST, Parser, default_gallery, open_bundle, run_command
from edge.errors import MissingInput

if TYPE_CHECKING:
    from edge.gallery import Gallery

__all__ = ["main"]

_PROGRAM = "edge-gallery"
_SCHEMA = "unveil-edge.gallery/1"
_EXAMPLES = """\
examples:
  edge-gallery enrol "Ada Lovelace" ada1.jpg ada2.jpg
  edge-gallery list
  edge-gallery forget "Ada Lovelace"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-gallery --help``.

    Returns:
        The exit code.
    """
    return run_command(_PROGRAM, _run, argv)


def _shared(unset: str | None = None) -> Parser:
    """Return the options that may stand before the verb or after it.

    Args:
        unset: default of each.
    """
    shared = Parser(add_help=False)
    shared.add_argument(
        "--gallery",
        metavar="PATH",
        type=Path,
        default=unset,
        help=f"the gallery's file (default: {default_gallery()})",
    )
    shared.add_argument(
        "--bundle",
        metavar="PATH",
        type=Path,
        default=unset,
        help="networks (default: those of the package)",
    )
    shared.add_argument("--trust", default=unset, **TRUST)
    shared.add_argument("--json", action="store_true", default=unset, help="print one JSON object")
    return shared


def _parser() -> Parser:
    # After the verb an option that was not given must not undo one that stood before it.
    shared = _shared(argparse.SUPPRESS)
    parser = Parser(
        prog=_PROGRAM,
        parents=[_shared()],
        description="The people that edge-run knows. No picture is kept, only embeddings.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    enrol = verbs.add_parser("enrol", parents=[shared], help="add pictures of a person")
    enrol.add_argument("name", metavar="NAME")
    enrol.add_argument("images", metavar="IMAGE", nargs="+", help="each with exactly one face")
    enrol.set_defaults(verb=_enrol)
    people = verbs.add_parser("list", parents=[shared], help="show who is known")
    people.set_defaults(verb=_list)
    forget = verbs.add_parser("forget", parents=[shared], help="delete a person for good")
    forget.add_argument("name", metavar="NAME")
    forget.set_defaults(verb=_forget)
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    lines, facts = options.verb(options)
    if options.json:
        print(json.dumps({"schema": _SCHEMA, "gallery": str(_path(options)), **facts}))
    else:
        print("\n".join(lines))
    return 0


_Said = tuple[list[str], dict[str, object]]


def _enrol(options: argparse.Namespace) -> _Said:
    """Look at every picture before the first is stored."""
    from edge.enrol import single_face
    from edge.pipeline import Pipeline

    bundle = open_bundle(options.bundle, options.trust)
    with Pipeline(bundle, embeddings=True) as pipeline:
        faces = [single_face(pipeline, image) for image in options.images]
    if options.gallery is None:
        os.makedirs(_path(options).parent, mode=0o700, exist_ok=True)
    with _open(options, create=True) as gallery:
        gallery.enrol_all(options.name, [(face.embedding, face.masked) for face in faces])
    masked = sum(face.masked for face in faces)
    facts: dict[str, object] = {"name": options.name, "enrolled": len(faces), "masked": masked}
    count = f"{len(faces)} picture{'s' if len(faces) > 1 else ''}"
    return [f"{options.name}: {count} enrolled, {masked} of them with a mask"], facts


def _list(options: argparse.Namespace) -> _Said:
    if options.gallery is None and not _path(options).exists():
        return ["nobody is enrolled yet"], {"people": []}
    with _open(options) as gallery:
        people = gallery.people()
    width = max((len(person.name) for person in people), default=0)
    lines = [f"{p.name:<{width}}  {p.templates:>3}  since {p.since}" for p in people]
    facts = [{"name": p.name, "templates": p.templates, "since": p.since} for p in people]
    return lines or ["nobody is enrolled yet"], {"people": facts}


def _forget(options: argparse.Namespace) -> _Said:
    with _open(options) as gallery:
        known = [person.name for person in gallery.people()]
        count = gallery.forget(options.name)
    if count == 0:
        raise MissingInput(
            f"nobody of {len(known)} people is called {options.name!r}",
            hint="see the names with: edge-gallery list",
            code="gallery.nobody",
        )
    line = f"{options.name}: forgotten, {count} template{'s' if count > 1 else ''} deleted"
    return [line], {"name": options.name, "deleted": count}


def _path(options: argparse.Namespace) -> Path:
    return options.gallery or default_gallery()


def _open(options: argparse.Namespace, *, create: bool = False) -> Gallery:
    """Open the gallery for the bundle's embedding revision."""
    from edge.gallery import Gallery

    bundle = open_bundle(options.bundle, options.trust)
    revision = bundle.artefact("identity").contract.revision
    return Gallery.open(_path(options), revision, create=create)


if __name__ == "__main__":
    raise SystemExit(main())
