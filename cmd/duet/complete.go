package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"duet.example/duet/console"
	"duet.example/duet/framing"
)

// flagValues are what the shell offers after a flag. Other flags take what no list can hold.
var flagValues = map[string][]string{
	"framing":    framing.Names(),
	"eol":        {"lf", "crlf", "cr", "nul", "none"},
	"encoding":   {"utf-8", "latin1", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1251", "windows-1252"},
	"timestamps": console.StampNames,
	"color":      {"auto", "always", "never"},
	"half-open":  {"forever"},
}

// completions says what the shell completes after the commands below root. Files
// are offered for nothing but unix addresses: no flag takes one.
func completions(root *cobra.Command) {
	for _, c := range root.Commands() {
		c.ValidArgsFunction = completeAddress
		c.Flags().VisitAll(func(f *pflag.Flag) {
			complete := cobra.NoFileCompletions
			if values, ok := flagValues[f.Name]; ok {
				complete = cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
			}
			// It fails only for a flag that is not there, or was registered before.
			_ = c.RegisterFlagCompletionFunc(f.Name, complete)
		})
	}
}

// completeAddress leaves addresses to the person, but for the path of a unix socket.
func completeAddress(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 && strings.HasPrefix(word, "unix:") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
