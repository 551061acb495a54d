"""How the whole system carries load: arrivals, autoscaling, throughput, the cost of a job."""
