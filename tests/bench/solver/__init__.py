"""What ``bench_solver`` measures besides ``solve`` itself: changed problems, growing steps, naive PuLP, a big site."""
