"""Transfer methods, and the data sets they read."""
