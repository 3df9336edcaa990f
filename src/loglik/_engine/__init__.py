"""What everything stands on and nothing of which knows a distribution: validation, blocks, threads, results, sampling."""
