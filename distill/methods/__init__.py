"""What can be typed after ``--method``: one light module for each method, which imports torch only when it acts."""
