"""The tables of ``make bench``: docs/speed.md, and the few lines of it that the README has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.page.markdown import markdown_table
from benchmarks.suite.estimate import BOARDS, Estimate, estimate

__all__ = ["page", "summary"]

#: Networks that one masked face goes through.
_MASKED_FACE = ("detect", "mask", "map", "edit", "identity-masked", "emotion")
#: Wanted of a network whose arithmetic is in full convolutions.
_CONVOLUTIONAL = ("detect", "map", "edit", "identity", "identity-masked")

Results = Mapping[str, Any]


def summary(results: Results) -> list[str]:
    """Return the README's lines.

    Args:
        results: what each file of the machine's folder holds, by its name without the ending.
    """
    single, caption = results["single-stream"], _caption(results)
    latency = single["latency_ms"]
    lines = [
        f"{caption}. One masked face, camera bytes to result, one thread: "
        f"{latency['p50']:.1f} ms (p90 {latency['p90']:.1f}), {single['fps']:.0f} frames a second. "
        "All of it, with the arithmetic for boards that nothing ran on: "
        "[docs/speed.md](docs/speed.md).",
        "",
        *markdown_table(("what", "figure", "95 %", "wanted"), list(_wanted(results)), words=(0,)),
    ]
    return [*lines, *_invalid(results)]


def _caption(results: Results) -> str:
    facts, date = results["single-stream"]["fingerprint"], results["single-stream"]["date"]
    name = facts.get("board", facts["processor"])
    return f"{date[:10]}, {name}, {facts['cores']} cores, bundle `{facts['bundle'][:12]}`"


def _wanted(results: Results) -> Iterator[tuple[str, str, str, str]]:
    """Yield each figure that was asked for."""
    for name, rival in results.get("peers", {}).get("rivals", {}).items():
        wanted = "30" if name == "seeds" else ""
        low, high = rival["times_faster_ci95"]
        threads = f"{rival['threads']} thread{'s' * (rival['threads'] > 1)}"
        what = f"times as fast as {name} on {threads}"
        yield what, f"{rival['times_faster']:.1f}", f"{low:.1f} to {high:.1f}", wanted
    single = results["single-stream"]
    overhead = single["overhead_ms"]
    inside = single["latency_ms"]["p50"] - overhead
    between = single["between_ms"]
    share = f"{overhead / inside:.1%} ({overhead:.2f} ms)"
    yield "outside the engines, of the time inside them", share, "", "at most 5 %"
    share = f"{between / inside:.1%} ({between:.3f} ms)"
    yield "of it outside the stages too: the pipeline itself", share, "", ""
    gains = results["scaling"]["gains"]
    if "passes" in gains:
        low, high = (f"{end - 1:.1%}" for end in gains["passes"]["ratio_ci95"])
        what = "what the passes over the picture alone add to the engines"
        yield what, f"{gains['passes']['ratio'] - 1:.1%}", f"{low} to {high}", ""
    for key, what, wanted in (
        ("threads", "frames a second of two threads against one", "1.7"),
        ("processes", "frames a second of two processes against one", "1.7"),
        ("faces", "time of four faces against one", "at most 3"),
    ):
        low, high = gains[key]["ratio_ci95"]
        yield what, f"{gains[key]['ratio']:.2f}", f"{low:.2f} to {high:.2f}", wanted
    for network in results["roofline"]["networks"]:
        wanted = "50 %" if network["task"] in _CONVOLUTIONAL else ""
        reached = f"{network['share_of_attainable']:.0%}"
        yield f"attainable INT8 rate reached by {network['task']}", reached, "", wanted
    footprint = results["footprint"]
    yield "start to first result", f"{footprint['first_result_ms']:.0f} ms", "", "at most 1,000 ms"
    yield "resident memory", f"{footprint['resident_mib']:.0f} MiB", "", "at most 143 MiB (150 MB)"


def _invalid(results: Results) -> list[str]:
    """Return a line for each measurement that does not count, with its reasons."""
    lines = []
    for name, result in results.items():
        if result.get("valid") is False:
            lines += ["", f"**{name} is invalid**: {'; '.join(result['invalid'])}."]
    return lines


def page(results: Results, commands: Mapping[str, str]) -> str:
    """Return docs/speed.md.

    Args:
        results: as for ``summary``.
        commands: that measured each of them.
    """
    lines = [
        "# How fast, and what is left",
        "",
        "Written by `make bench`; do not edit. The files that it is made from lie in",
        "`benchmarks/results/`.",
        "",
        f"{_caption(results)}.",
        *_invalid(results),
        "",
        "## Asked for",
        "",
        *markdown_table(("what", "figure", "95 %", "wanted"), list(_wanted(results)), words=(0,)),
        "",
        "## Scenarios",
        "",
        *_scenarios(results, commands),
        "",
        "## Where a frame's time goes",
        "",
        *_stages(results["single-stream"]),
        "",
        "## Rivals",
        "",
        *_rivals(results.get("peers", {}).get("rivals", {})),
        "",
        "## More threads, processes and faces",
        "",
        *_scaling(results["scaling"]),
        "",
        "## What the machine could do",
        "",
        *_roofline(results["roofline"]),
        "",
        "## What it implies for boards: an estimate",
        "",
        *_boards(results),
    ]
    return "\n".join(lines) + "\n"


def _scenarios(results: Results, commands: Mapping[str, str]) -> Iterator[str]:
    head = ("scenario", "p50 ms", "p90", "p99", "max", "frames a second", "faces", "command")
    rows = []
    for name in ("single-stream", "multi-stream", "offline", "live"):
        result = results[name]
        ms = result["latency_ms"]
        shown = [f"{ms[key]:.2f}" for key in ("p50", "p90", "p99", "max")]
        rate, faces = f"{result['fps']:.1f}", f"{result['faces_per_frame']:g}"
        rows.append((name, *shown, rate, faces, commands[name]))
    yield from markdown_table(head, rows, words=(0, 7))
    streams, live = results["multi-stream"]["settings"]["streams"], results["live"]["live"]
    yield ""
    yield (
        f"A query of multi-stream is {streams} frames at once. Live at "
        f"{results['live']['settings']['fps']:g} frames a second: {live['offered']} offered, "
        f"{live['processed']} processed, {live['dropped']} dropped; a result is "
        f"{live['age_ms']['p50']:.1f} ms old (p99 {live['age_ms']['p99']:.1f})."
    )


def _stages(single: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, *(f"{stage[part]:.3f}" for part in ("pre_ms", "infer_ms", "post_ms")))
        for name, stage in single["stages"].items()
    ]
    head = ("stage, ms a frame", "before the engine", "inside", "after")
    said = (
        f"Outside the engines {single['overhead_ms']:.3f} ms (median); with engines that compute "
        f"nothing, so that no face is found, a frame takes {single['harness_ms']:.3f} ms."
    )
    return [*markdown_table(head, rows), "", said]


def _rivals(rivals: Mapping[str, Any]) -> Iterator[str]:
    if not rivals:
        yield "None was measured."
        return
    rows = []
    for name, rival in rivals.items():
        low, high = rival["times_faster_ci95"]
        weights = "random weights" if rival["random_weights"] else "its own weights"
        rows.append(
            (
                name,
                f"{rival['says']}; {weights}",
                f"{rival['threads']}",
                f"{rival['median_ms']['chain']:.1f}",
                f"{rival['times_faster']:.2f} ({low:.2f} to {high:.2f})",
            )
        )
    head = ("rival", "what is timed", "threads", "ms a face", "times as long as ours")
    yield from markdown_table(head, rows, words=(0, 1))
    yield ""
    yield "One masked face, ours with one thread, all in turn in one run (`make peers`)."


def _scaling(scaling: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, gain in scaling["gains"].items():
        low, high = gain["ratio_ci95"]
        ratio = f"{gain['ratio']:.2f} ({low:.2f} to {high:.2f})"
        rows.append((name, gain["says"], ratio, f"{gain['one_ms']:.3f}"))
    head = ("what", "in words", "ratio (95 %)", "ms of one")
    return markdown_table(head, rows, words=(0, 1))


def _roofline(roofline: Mapping[str, Any]) -> Iterator[str]:
    best = roofline["ceilings"]["attainable"]
    said = ", ".join(
        f"{name} {ceiling['gmacs_per_s']:.0f} ({ceiling['shape']})"
        for name, ceiling in best.items()
    )
    yield f"Attainable on one thread, in thousand million multiply-accumulates a second: {said}."
    memory = roofline["ceilings"]["memory"][0]
    yield (
        f"Memory: {memory['copy_gb_per_s']:.1f} GB/s copied, {memory['triad_gb_per_s']:.1f} GB/s "
        "in a triad."
    )
    yield ""
    rows = []
    for network in roofline["networks"]:
        kinds = sorted(network["kinds"], key=lambda kind: -kind["ms"])[:3]
        spent = ", ".join(f"{kind['kind']} {kind['ms'] / network['ms']:.0%}" for kind in kinds)
        rows.append(
            (
                network["task"],
                f"{network['macs'] / 1e6:.1f}",
                f"{network['ms']:.3f}",
                f"{network['share_of_attainable']:.0%}",
                spent,
            )
        )
    head = ("network", "million MACs", "ms", "of the attainable", "where its time goes")
    yield from markdown_table(head, rows, words=(0, 4))


def _boards(results: Results) -> Iterator[str]:
    """Yield the estimates, each with its arithmetic."""
    found = {n["task"]: n for n in results["roofline"]["networks"]}
    networks = {
        task: (found[task]["macs"], found[task]["share_of_attainable"])
        for task in _MASKED_FACE
        if task in found
    }
    clocks: Sequence[float] = results["roofline"]["before"].get("clocks_mhz", ())
    if not clocks:
        yield "This machine does not tell its clock, so nothing can be estimated from it."
        return
    yield "Nothing ran on these boards. One masked face on one core, from multiply-accumulates, the"
    yield "core's best and the share of the best reached here; outside the engines, by the clocks."
    yield "It leaves out slower memory, heat, and kernels that differ."
    yield ""
    estimates = [
        estimate(
            board,
            networks,
            outside_ms=results["single-stream"]["overhead_ms"],
            measured_ghz=max(clocks) / 1000,
        )
        for board in BOARDS
    ]
    rows = [
        (
            e.board.name,
            f"{e.engines_ms:.0f}",
            f"{e.outside_ms:.1f}",
            f"{e.total_ms:.0f}",
            f"{1000 / e.total_ms:.0f}",
        )
        for e in estimates
    ]
    head = ("board (estimated)", "ms inside engines", "ms outside", "ms", "frames a second")
    yield from markdown_table(head, rows)
    for e in estimates:
        yield from _arithmetic(e)


def _arithmetic(e: Estimate) -> Iterator[str]:
    yield ""
    yield f"{e.board.name}: {e.board.macs_per_cycle} INT8 multiply-accumulates a cycle, "
    yield f"{e.board.because}."
    yield ""
    yield from (f"- {line}" for line in e.sums)
