"""Other people's programs: `interface` is the port, `run` the only place that starts one."""
