"""Words: what a job, a step, and an error are. Imports nothing of ours, no Beam, no torch."""
