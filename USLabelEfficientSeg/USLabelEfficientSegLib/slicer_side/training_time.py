"""How long training takes, for the panel; see `study.training_time`."""

from ..study.training_time import Continued, in_words, seconds_on_processor

__all__ = ["Continued", "in_words", "seconds_on_processor"]
