"""The commands of `tunegate`, one module each: `arguments(parser)` says what it takes, `run(args)`
does it. A distribution adds its own in the entry-point group `tunegate.commands`.
"""
