"""The command line: one module a verb, imported when its verb is called."""
