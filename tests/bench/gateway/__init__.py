"""Servers, load generator and hostile stations of the gateway's benchmarks."""
