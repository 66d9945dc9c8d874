"""What runs the programs: the local Kafka launcher, images, Prometheus, Grafana, Kubernetes."""
