"""Lines of progress; and the table, as Markdown and as JSON."""
import datetime
import json
import sys

VERDICTS = {"aim": "aim", "pass": "must", "MISS": "**miss**", "below aim": "below aim", None: "not measured"}


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def number(value):
    if value is None:
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def target(value, low):
    return "" if value is None else ("≤ " if low else "≥ ") + number(value)


def judge(row, samples):
    return [(check, check.judge(samples)) for check in row.checks]


def lines(rows, samples, errors):
    yield "| scenario | figure | ours: best (median) | other: best (median) | ratio or value: best (median) | must | aim | reached |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in rows:
        for check, result in judge(row, samples.get(row.key, [])):
            if result is None:
                why = errors.get(row.key, ["no figures"])[-1].splitlines()[0][:120]
                yield f"| {row.title} | {check.title} | | | {why} | {target(check.must, check.low)} | {target(check.aim, check.low)} | not measured |"
                continue
            ours = f"{number(result['ours'])} ({number(result['ours_median'])}) {check.unit}".strip()
            theirs = f"{number(result['theirs'])} ({number(result['theirs_median'])}) {check.unit}".strip() if check.theirs else ""
            yield (f"| {row.title} | {check.title} | {ours} | {theirs} | {number(result['value'])} ({number(result['median'])}) | "
                   f"{target(check.must, check.low)} | {target(check.aim, check.low)} | {VERDICTS[result['verdict']]} |")


def write(path, facts, rows, samples, errors):
    """`path` without suffix; written again after every measurement, so that a run that is cut short leaves what it has."""
    table = "\n".join(lines(rows, samples, errors))
    head = ", ".join(f"{name}: {value}" for name, value in facts.items())
    path.with_suffix(".md").write_text(f"{head}\n\n{table}\n")
    results = {row.key: [result for _, result in judge(row, samples.get(row.key, [])) if result] for row in rows}
    path.with_suffix(".json").write_text(json.dumps({"facts": facts, "results": results, "samples": samples, "errors": errors}, indent=1) + "\n")
    return table
