package main

import (
	"time"

	"github.com/spf13/pflag"

	"duet.example/duet/admission"
)

// gating holds the flags that say who may come in, and how much.
type gating struct {
	maxConns              int
	maxGiven              bool
	memory                budget
	busy                  string
	allow, deny           []string
	allowFiles, denyFiles []string
	maxPerHost            int
	rate, burst           size
	acceptTimeout         time.Duration

	// What the flags come to; set by resolveGate. sorry is busy as a peer gets it.
	sorry string
	gate  *admission.Gate
}

func (g *gating) registerGate(f *pflag.FlagSet) {
	f.IntVar(&g.maxConns, "max-conns", 0, "let in no more than `N` conversations (four fifths of the descriptors if not given)")
	g.memory = -1
	f.Var(&g.memory, "memory", "bound what all conversations hold in memory by `SIZE` bytes; 0 for no limit (a quarter of the memory if not given, at most 1G)")
	f.StringVar(&g.busy, "busy", "", "the `TEXT` for those who are not let in")
	f.StringArrayVar(&g.allow, "allow", nil, "let in only this `ADDRESS` or network, such as 192.0.2.0/24; may be repeated")
	f.StringArrayVar(&g.deny, "deny", nil, "keep this `ADDRESS` or network out, which comes first; may be repeated")
	f.StringArrayVar(&g.allowFiles, "allow-file", nil, "the same as --allow with what `FILE` lists, one a line; may be repeated")
	f.StringArrayVar(&g.denyFiles, "deny-file", nil, "the same as --deny with what `FILE` lists; may be repeated")
	f.IntVar(&g.maxPerHost, "max-per-host", 0, "let in no more than `N` conversations of one host")
	f.Var(&g.rate, "rate", "read no more than `SIZE` bytes a second of a conversation, and of a host")
	f.Var(&g.burst, "burst", "how many bytes at once (two seconds' worth if not given)")
	f.DurationVar(&g.acceptTimeout, "accept-timeout", 0, "end when nobody has connected for `D`")
}

// resolveGate checks the flags and makes the gate. Its files are read now, so that a mistake in them is known at once.
func (g *gating) resolveGate() error {
	switch {
	case g.maxGiven && g.maxConns < 1:
		return usagef("--max-conns wants a number above zero")
	case g.maxPerHost < 0:
		return usagef("--max-per-host wants a number above zero")
	case g.acceptTimeout < 0:
		return usagef("a timeout is not below zero")
	case g.burst > 0 && g.rate == 0:
		return usagef("--burst wants --rate")
	}
	g.gate = &admission.Gate{
		AllowFiles: g.allowFiles, DenyFiles: g.denyFiles,
		MaxPerHost: g.maxPerHost, Rate: int(g.rate), Burst: int(g.burst),
	}
	for _, list := range []struct {
		flag  string
		rules *admission.Rules
		texts []string
	}{{"allow", &g.gate.Allow, g.allow}, {"deny", &g.gate.Deny, g.deny}} {
		if len(list.texts) == 0 {
			continue
		}
		r, err := admission.ParseRules(list.texts...)
		if err != nil {
			return usagef("--%s: %w", list.flag, err)
		}
		*list.rules = r
	}
	if err := g.gate.Reload(); err != nil {
		return usageError{err}
	}
	return nil
}

// hasLists reports whether there is something to read again.
func (g *gating) hasLists() bool { return len(g.allowFiles)+len(g.denyFiles) > 0 }
