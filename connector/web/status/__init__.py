"""The status page, the same as data, the metrics, and the decisions a person takes there."""
