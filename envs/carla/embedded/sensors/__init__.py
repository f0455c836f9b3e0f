"""The sensors of the server: what can be spawned, and what each delivers in a tick.

Import from the modules: ``catalogue`` (blueprints) must be readable without the actors, which are made from it.
"""
