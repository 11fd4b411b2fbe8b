module duet.example/duet/bench

go 1.26.0

require go.uber.org/goleak v1.3.0

replace duet.example/duet => ../
