"""Transfer methods, and the data sets they read."""


def list_methods() -> list[str]:
    """Names of the registered transfer methods."""
    from sim2real_bench.distill.method import METHODS

    return METHODS.names()
