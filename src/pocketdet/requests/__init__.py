"""What the commands were asked for, read, checked and done in one call; `cli` only shows it.

One file a command that needs several layers; the other commands have their request in their
own package, as `bisect.request` and `compress.command`.
"""
