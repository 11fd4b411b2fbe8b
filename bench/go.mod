module duet.example/duet/bench

go 1.26.0

require (
	duet.example/duet v0.0.0
	go.uber.org/goleak v1.3.0
)

require golang.org/x/sys v0.49.0 // indirect

replace duet.example/duet => ../
