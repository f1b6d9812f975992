"""What a run reports: metrics, throughput, the log, TensorBoard events, curves, comparisons of runs."""
