"""Measurements: commands that print numbers. Nothing here fails because a machine is slow, only because an answer is wrong."""
