"""How long training takes, for the panel; see `study.training_time`."""

from ...study.training_time import Continued, seconds_on_processor

__all__ = ["Continued", "seconds_on_processor"]
