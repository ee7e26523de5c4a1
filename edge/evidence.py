"""What was measured on the real runtime before an artefact went into a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from edge.check import Check

__all__ = ["Evidence"]

_HUGE = 1e30


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

        def optional(key: str) -> float | None:
            return check.number(known, key, -_HUGE, _HUGE) if key in known else None

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
        )


def _interval(check: Check, ends: list[object]) -> tuple[float, float] | None:
    if not ends:
        return None
    if len(ends) != 2:
        check.fail("ci95", "must be [low, high]")
    low, high = (check.number({"ci95": end}, "ci95", -_HUGE, _HUGE) for end in ends)
    return low, high
