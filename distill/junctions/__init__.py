"""Junctions for a proxy policy that has never seen one: forks made of the source's own roads and driven paths."""
