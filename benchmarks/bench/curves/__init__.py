"""All curves, in the order of the report."""
from bench.curves import events, members, rooms, subscribers

CURVES = (subscribers.CURVE, rooms.CURVE, events.CURVE, members.CURVE)
