"""What goes wrong outside nv2: nothing is lost, nothing is half-written, and nobody hears a yes.

Each row is a fault at one place of a command's way. The state of registry, layout and configuration is held
against what it was before; then the fault is taken away, and the command must work. Signals are in
`unit/cli/test_interruption.py`, a disk that fills up in `unit/cli/test_full_disk.py`, races for the fallback tag
in `unit/content/remote/test_fallback.py`.
"""
