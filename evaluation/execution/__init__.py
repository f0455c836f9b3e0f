"""Where and by whom tasks are done: executors, worker processes, what keeps their simulators."""
