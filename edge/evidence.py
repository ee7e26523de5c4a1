"""What is known of an artefact before it goes into a bundle: its figures, its tensor types, and
the pictures its ranges were taken from.

People read these tables; a device only asks that the evidence is there. So keys that are not known
are passed over in them: a later export may say more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from edge.check import Check

__all__ = ["MAX_LINE", "Audit", "CalibrationRecord", "Evidence"]

#: Characters of an audit's label, of each of its exceptions, and of a calibration's source.
MAX_LINE = 500

_HUGE = 1e30
_MAX_EXCEPTIONS = 1000


@dataclass(frozen=True, slots=True)
class Evidence:
    """Figures of one artefact on its task.

    Attributes:
        metric: name and unit of the figure, such as ``accuracy``.
        float_value: the figure of the float network (``float`` in JSON).
        artefact_value: the figure of the artefact on the runtime (``artefact`` in JSON).
        n: samples, at least 1.
        data: pack and split the figures come from.
        ci95: low and high end of the artefact's 95 % confidence interval, or None.
        data_sha256: digest of that data; may be empty.
        date: ISO date of the measurement; may be empty.
        engine: name and version of the runtime; may be empty.
        cosine_min: least cosine between float and artefact outputs, or None.
        sqnr_db: signal to quantisation noise of the outputs in dB, or None.
        max_drop: how much worse than the float network its card lets it be, in the metric's own
            unit, at least 0; None where nobody says.
    """

    metric: str
    float_value: float
    artefact_value: float
    n: int
    data: str
    ci95: tuple[float, float] | None = None
    data_sha256: str = ""
    date: str = ""
    engine: str = ""
    cosine_min: float | None = None
    sqnr_db: float | None = None
    max_drop: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return the table as it stands in ``bundle.json``; what is unknown is left out."""
        table: dict[str, object] = {
            "metric": self.metric,
            "float": self.float_value,
            "artefact": self.artefact_value,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "n": self.n,
            "data": self.data,
            "data_sha256": self.data_sha256,
            "date": self.date,
            "engine": self.engine,
            "cosine_min": self.cosine_min,
            "sqnr_db": self.sqnr_db,
            "max_drop": self.max_drop,
        }
        return {key: value for key, value in table.items() if value not in (None, "")}

    @classmethod
    def from_json(cls, raw: object, *, where: str) -> Evidence:
        """Check and build evidence from parsed JSON; keys that are not known are passed over.

        Args:
            raw: what ``json.loads`` gave; untrusted.
            where: file and key, for messages.

        Raises:
            BundleError: the evidence is missing or holds no figures.
        """
        check = Check(where)
        if not raw:
            check.fail("evidence", "there is no evidence, and nothing unproven runs")
        table = check.mapping(raw, "evidence")
        known = {key: value for key, value in table.items() if value is not None}

        def optional(key: str, low: float = -_HUGE) -> float | None:
            return check.number(known, key, low, _HUGE) if key in known else None

        def note(key: str) -> str:
            return check.text(known, key, empty=True) if key in known else ""

        ends = check.items(known.get("ci95", []), "ci95", 0, 2)
        return cls(
            metric=check.text(known, "metric"),
            float_value=check.number(known, "float", -_HUGE, _HUGE),
            artefact_value=check.number(known, "artefact", -_HUGE, _HUGE),
            n=check.integer(known, "n", 1, 10**12),
            data=check.text(known, "data"),
            ci95=_interval(check, ends),
            data_sha256=note("data_sha256"),
            date=note("date"),
            engine=note("engine"),
            cosine_min=optional("cosine_min"),
            sqnr_db=optional("sqnr_db"),
            max_drop=optional("max_drop", 0.0),
        )


def _interval(check: Check, ends: list[object]) -> tuple[float, float] | None:
    if not ends:
        return None
    if len(ends) != 2:
        check.fail("ci95", "must be [low, high]")
    low, high = (check.number({"ci95": end}, "ci95", -_HUGE, _HUGE) for end in ends)
    return low, high


@dataclass(frozen=True, slots=True)
class Audit:
    """What a look at every tensor's type found.

    Attributes:
        label: what the file may be called, such as ``INT8``.
        exceptions: computing operators of another precision, each with its reason.
        means: what was done for INT8 beside rounding, such as quantisation-aware training, bias
            correction or mixed precision; empty where nothing was, or nobody said.
    """

    label: str
    exceptions: tuple[str, ...] = ()
    means: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the table as it stands in ``bundle.json``."""
        table: dict[str, object] = {"label": self.label, "exceptions": list(self.exceptions)}
        return {**table, "means": list(self.means)} if self.means else table

    @classmethod
    def from_json(cls, raw: object, *, where: str) -> Audit:
        """Check and build an audit from parsed JSON; keys that are not known are passed over.

        Args:
            raw: what ``json.loads`` gave; untrusted.
            where: file and key, for messages.

        Raises:
            BundleError: it says nothing.
        """
        check = Check(where)
        table = check.mapping(raw, "audit")

        def lines(key: str) -> tuple[str, ...]:
            listed = check.items(table.get(key, []), key, 0, _MAX_EXCEPTIONS)
            return tuple(check.text({key: line}, key, most=MAX_LINE) for line in listed)

        return cls(
            label=check.text(table, "label", most=MAX_LINE),
            exceptions=lines("exceptions"),
            means=lines("means"),
        )


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """Where the ranges of a network's INT8 artefacts come from.

    Attributes:
        source: data pack, folder or whatever gave the pictures.
        split: of the pack; may be empty.
        count: pictures, at least 1.
        sha256: digest of what was used.
        method: such as ``minmax``.
    """

    source: str
    split: str
    count: int
    sha256: str
    method: str

    def to_json(self) -> dict[str, object]:
        """Return the table as it stands in ``bundle.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: object, *, where: str) -> CalibrationRecord:
        """Check and build a record from parsed JSON; keys that are not known are passed over.

        Args:
            raw: what ``json.loads`` gave; untrusted.
            where: file and key, for messages.

        Raises:
            BundleError: a value is missing or cannot be.
        """
        check = Check(where)
        table = check.mapping(raw, "calibration")
        return cls(
            source=check.text(table, "source", most=MAX_LINE),
            split=check.text(table, "split", empty=True),
            count=check.integer(table, "count", 1, 10**9),
            sha256=check.text(table, "sha256"),
            method=check.text(table, "method"),
        )
