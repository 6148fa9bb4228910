"""Quantiles out of a Prometheus histogram."""
import re


def quantile(metrics, name, part):
    """In the histogram's unit, straight lines between bounds; 0 when nothing was observed."""
    pattern = re.compile(re.escape(name) + r'_bucket\{le="([^"]+)"\}')
    buckets = sorted((float(found.group(1)), count) for label, count in metrics.items() if (found := pattern.fullmatch(label)))
    wanted = part * buckets[-1][1] if buckets else 0
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if wanted and count >= wanted:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (wanted - below) / max(count - below, 1)
        low, below = bound, count
    return 0.0
