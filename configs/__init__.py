"""What a job may say, the errors that end a run, and what no message shows. Imports nothing of ours, no Beam, no torch."""
