package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"duet.example/duet/console"
	"duet.example/duet/framing"
)

// flagValues gives the values that the shell offers after a flag, by the flag's name. No list can hold the values of other flags.
func flagValues() map[string][]string {
	return map[string][]string{
		"framing":    framing.Names(),
		"eol":        {"lf", "crlf", "cr", "nul", "none"},
		"encoding":   {"utf-8", "latin1", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1251", "windows-1252"},
		"timestamps": console.StampNames,
		"color":      {"auto", "always", "never"},
		"half-open":  {"forever"},
	}
}

// pathFlags take the path of a file.
var pathFlags = []string{"control", "allow-file", "deny-file"}

// completions says what the shell completes after the commands below root. Files
// are offered for paths only, and for unix addresses.
func completions(root *cobra.Command) {
	offered := flagValues()
	for _, c := range root.Commands() {
		if c.ValidArgsFunction == nil {
			c.ValidArgsFunction = completeAddress
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			complete := cobra.NoFileCompletions
			if slices.Contains(pathFlags, f.Name) {
				complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
			}
			if values, ok := offered[f.Name]; ok {
				complete = cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
			}
			// It fails only for a flag that is not there, or was registered before.
			_ = c.RegisterFlagCompletionFunc(f.Name, complete)
		})
	}
}

// completePath completes the path of a control socket, which comes first.
func completePath(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeAddress leaves addresses to the person, but for the path of a unix socket.
func completeAddress(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 && strings.HasPrefix(word, "unix:") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
