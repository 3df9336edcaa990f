"""The estimators for scikit-learn: its own checks, its own mixture as the reference, and what ours promise beyond it."""
