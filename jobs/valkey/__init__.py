"""What lies in Valkey: the records, and everything that is counted or remembered there."""
