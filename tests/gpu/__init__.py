"""What only a GPU can show, as one script: `python -m tests.gpu`, or `make gpu-check`."""
