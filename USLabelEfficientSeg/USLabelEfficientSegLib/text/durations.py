"""Times for people."""


def duration(seconds: float) -> str:
    """A time in the unit that people use: "45 s", "12 min", "3 h 05 min", "4 days"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 2880:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{round(seconds / 86_400)} days"
