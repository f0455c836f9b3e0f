"""Speed, as ratios against the raw simulators measured in the same run: ``make benchmark``."""
