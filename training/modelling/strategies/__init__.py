"""Ways to adapt a base to a target with few labels; each module is one of them, its formula and paper on top.

A strategy is a function `Task -> Adapted`; `STRATEGIES` names them all and imports each only when it is used.
"""
