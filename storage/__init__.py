"""The few file operations, and the layout of a run, that its promises rest on."""
