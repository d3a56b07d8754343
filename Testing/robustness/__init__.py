"""Hostile and damaged inputs by the thousand: each is read rightly or refused in one sentence.

A family is a module here with a function `checks`, see `runner`. From the folder Testing:

    python -m robustness --families headers,bits --count 1000 --seed 0
"""
