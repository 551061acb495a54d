"""How the system is run: standalone, on Kubernetes, and with Prometheus and Grafana."""
