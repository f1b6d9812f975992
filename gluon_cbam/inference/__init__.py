"""Networks with weights, and what they predict."""
