"""What changed from one bundle to another: networks, files, contracts, figures, origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge.bundle import Artefact, Bundle, Network
from edge.evidence import Evidence

__all__ = ["Change", "diff", "to_json", "to_lines"]

#: Fields of a contract that say what an artefact's tensors are, not what the network means.
_TENSORS = ("inputs", "outputs")
#: What a change of a contract's field asks for.
_FOLLOWS = {
    "revision": "embeddings of the two do not compare: a gallery of the one is refused by the "
    "other, and everybody is enrolled anew",
    "threshold": "more or fewer are found, or taken for the same",
}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        where: ``bundle``, a task, or a task with precision and engine of one artefact.
        what: the field, such as ``contract.threshold``; ``network`` and ``artefact`` for whole
            ones.
        before, after: plain JSON values; None where there is nothing.
        note: what follows from it, or how far it can be believed; may be empty.
        difference: of two figures, ``after - before``.
        inside: whether each of two figures lies in the other's 95 % interval; None where one has
            none, or where the data or the metric is another.
    """

    where: str
    what: str
    before: Any
    after: Any
    note: str = ""
    difference: float | None = None
    inside: bool | None = None

    def to_json(self) -> dict[str, object]:
        """Return the change as a table; the last three fields only where they say something."""
        table = asdict(self)
        optional = ("note", "difference", "inside")
        return {k: v for k, v in table.items() if k not in optional or v not in ("", None)}


def diff(a: Bundle, b: Bundle) -> list[Change]:
    """Compare two bundles; name, date and place of a bundle are no difference.

    Args:
        a: the older one.
        b: the newer one.

    Returns:
        First what concerns the whole bundle, then task by task; empty for bundles of which either
        can stand for the other.
    """
    changes = list(_fields("bundle", "tools", a.tools, b.tools))
    state = ("is not there", "is there")
    changes += _changed("bundle", "signature", state[a.is_signed], state[b.is_signed])
    for task in dict.fromkeys((*a.tasks, *b.tasks)):
        before, after = a.networks.get(task), b.networks.get(task)
        if before is None or after is None:
            changes += _changed(task, "network", _origin(before), _origin(after))
        else:
            changes += _fields(task, "", _facts(before), _facts(after))
            changes += _artefacts(task, _by_kind(a, task), _by_kind(b, task))
    return changes


def to_json(changes: list[Change]) -> dict[str, object]:
    """Return ``same`` and the changes as plain JSON."""
    return {"same": not changes, "changes": [change.to_json() for change in changes]}


def to_lines(changes: list[Change]) -> list[str]:
    """Return the changes as lines for people, a heading before those of one place."""
    lines, heading = [], ""
    for change in changes:
        if change.where != heading:
            heading = change.where
            lines.append(heading)
        lines.append(f"  {_said(change)}" + (f"  ({change.note})" if change.note else ""))
    return lines or ["no difference"]


def _said(change: Change) -> str:
    before, after = _shown(change.before), _shown(change.after)
    if change.before is None:
        return f"+ {change.what}  {after}"
    if change.after is None:
        return f"- {change.what}  {before}"
    return f"  {change.what}  {before} -> {after}"


def _shown(value: object) -> str:
    """Shorten a value; it may come from a stranger's bundle and must not steer the terminal."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _changed(where: str, what: str, before: Any, after: Any, note: str = "") -> Iterator[Change]:
    if before != after:
        yield Change(where, what, before, after, note)


def _fields(where: str, path: str, before: Any, after: Any) -> Iterator[Change]:
    """Compare two tables or lists leaf by leaf."""
    old, new = dict(_leaves(path, before)), dict(_leaves(path, after))
    for what in dict.fromkeys((*old, *new)):
        note = _FOLLOWS.get(what.rpartition(".")[2], "") if what.startswith("contract.") else ""
        yield from _changed(where, what, old.get(what), new.get(what), note)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every value with its path; a list of plain values is one."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}[{index}]", inner)
    else:
        yield path, value


def _origin(network: Network | None) -> str | None:
    return None if network is None else f"{network.recipe}, {network.licence}"


def _facts(network: Network) -> dict[str, Any]:
    calibration = network.calibration
    return {
        "licence": network.licence,
        "terms": network.terms,
        "recipe": network.recipe,
        "weights_sha256": network.weights_sha256,
        "calibration": {} if calibration is None else calibration.to_json(),
    }


def _by_kind(bundle: Bundle, task: str) -> dict[str, Artefact]:
    return {
        f"{artefact.precision} {artefact.engine}": artefact
        for artefact in bundle.artefacts
        if artefact.task == task
    }


def _artefacts(
    task: str, before: dict[str, Artefact], after: dict[str, Artefact]
) -> Iterator[Change]:
    both = [kind for kind in before if kind in after]
    meanings = [_meaning(before[kind], after[kind], task) for kind in both]
    # What the network means stands in the contract of each of its artefacts: said once.
    shared = [c for c in (meanings[0] if meanings else []) if all(c in m for m in meanings)]
    yield from shared
    for kind in dict.fromkeys((*before, *after)):
        if kind not in both:
            yield from _changed(task, "artefact", _file(before.get(kind)), _file(after.get(kind)))
    for kind, meaning in zip(both, meanings, strict=True):
        where = f"{task} {kind}"
        for change in meaning:
            if change not in shared:
                yield Change(where, change.what, change.before, change.after, change.note)
        yield from _artefact(where, before[kind], after[kind])


def _meaning(before: Artefact, after: Artefact, task: str) -> list[Change]:
    """Compare what two contracts say of the network."""
    old, new = before.contract.to_json(), after.contract.to_json()
    for tensors in _TENSORS:
        del old[tensors], new[tensors]
    return list(_fields(task, "contract", old, new))


def _artefact(where: str, before: Artefact, after: Artefact) -> Iterator[Change]:
    yield from _changed(where, "sha256", before.sha256, after.sha256)
    note = f"{100 * (after.size / before.size - 1):+.1f} %"
    yield from _changed(where, "bytes", before.size, after.size, note)
    old, new = before.contract.to_json(), after.contract.to_json()
    for tensors in _TENSORS:
        yield from _fields(where, f"contract.{tensors}", old[tensors], new[tensors])
    old, new = ({} if a.audit is None else a.audit.to_json() for a in (before, after))
    yield from _fields(where, "audit", old, new)
    yield from _evidence(where, before.evidence, after.evidence)


def _file(artefact: Artefact | None) -> str | None:
    return None if artefact is None else f"{artefact.file}, {artefact.size} bytes"


def _evidence(where: str, before: Evidence, after: Evidence) -> Iterator[Change]:
    alike = (before.metric, before.data, before.data_sha256) == (
        after.metric, after.data, after.data_sha256,
    )  # fmt: skip
    inside = _inside(before, after) if alike else None
    figures = (
        ("", before.artefact_value, after.artefact_value, inside),
        (" in float", before.float_value, after.float_value, None),
    )
    for name, old, new, within in figures:
        if old != new:
            what = f"evidence.{after.metric}{name}"
            yield Change(where, what, old, new, _note(new - old, alike, within), new - old, within)
    # The day of a measurement is no difference.
    for what in ("metric", "data", "data_sha256", "n", "engine", "cosine_min", "sqnr_db"):
        yield from _changed(where, f"evidence.{what}", getattr(before, what), getattr(after, what))


def _inside(before: Evidence, after: Evidence) -> bool | None:
    """Tell whether each figure lies in the other's interval."""
    if before.ci95 is None or after.ci95 is None:
        return None
    (low, high), (least, most) = before.ci95, after.ci95
    return low <= after.artefact_value <= high and least <= before.artefact_value <= most


def _note(difference: float, alike: bool, inside: bool | None) -> str:
    if not alike:
        return "of another metric or other data: not to be compared"
    words = {None: "", True: ", inside both 95 % intervals", False: ", outside of a 95 % interval"}
    return f"{difference:+.6g}{words[inside]}"
