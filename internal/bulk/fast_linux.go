package bulk

import "context"

func fast(context.Context, *side, *side, *meter) (bool, error) { return false, nil }
