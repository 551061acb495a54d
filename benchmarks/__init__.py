"""What this machine makes of the product: seconds, frames a second, ratios within one run."""
