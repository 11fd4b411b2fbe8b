package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// An ablation is a work of the copy path, done by duet as it is and by duet without one mechanism at a time. Each file in the folder ablation
// is a patch that switches one off, so that duet itself has no switch.
type ablation struct {
	work interface {
		About() About
		measure(lab *Lab, pairs []pair) ([]Subject, error)
	}
}

func (a ablation) About() About {
	about := a.work.About()
	about.Name = ablated(about.Name)
	about.What = "duet without one mechanism at a time (a ratio above 1 says that it earns its place): " + about.What
	about.Long = true
	for i := range about.Columns {
		about.Columns[i].Name = ablated(about.Columns[i].Name)
		about.Columns[i].Target = ""
	}
	return about
}

func (a ablation) Subjects(lab *Lab) ([]Subject, error) {
	if lab.tool("git", "--version") == "" {
		return nil, leftOut("git is not installed")
	}
	pairs, err := lab.pairs()
	if err != nil {
		return nil, err
	}
	pairs = pairs[:1] // duet
	patches, err := patches()
	if err != nil {
		return nil, err
	}
	for _, patch := range patches {
		path, err := lab.duetWithout(patch)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{
			"without " + mechanism(patch), false,
			[]string{path, "listen", "127.0.0.1:{}"},
			[]string{path, "connect", "127.0.0.1:{}"},
		})
	}
	all, err := a.work.measure(lab, pairs)
	for i, s := range all {
		all[i].Measure = func(ctx context.Context) (Sample, error) {
			sample, err := s.Measure(ctx)
			renamed := map[string]float64{}
			for name, figure := range sample.Figures {
				renamed[ablated(name)] = figure
			}
			sample.Figures = renamed
			return sample, err
		}
	}
	return all, err
}

// ablated returns the name of a row or column of an ablation: bulk-pipe becomes ablation-pipe.
func ablated(name string) string { return strings.Replace(name, "bulk", "ablation", 1) }

// patches returns the patch of each mechanism.
func patches() ([]string, error) { return filepath.Glob(filepath.Join("ablation", "*.diff")) }

// mechanism returns the name of the mechanism that a patch switches off.
func mechanism(patch string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(patch), ".diff"), "-", " ")
}

// duetWithout builds duet with a patch.
func (lab *Lab) duetWithout(patch string) (string, error) {
	overlay, err := overlay(lab.ctx, patch, filepath.Join(lab.dir, "patched", filepath.Base(patch)))
	if err != nil {
		return "", err
	}
	return lab.build("duet without "+mechanism(patch), "..", "go", "build", "-overlay", overlay, "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", "{}", "./cmd/duet")
}

// overlay applies a patch to copies of its files in dir. It returns a file for the flag -overlay of the go command, which then builds
// with the copies. The repository stays as it is.
func overlay(ctx context.Context, patch, dir string) (string, error) {
	diff, err := os.ReadFile(patch)
	if err != nil {
		return "", err
	}
	top, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for line := range strings.Lines(string(diff)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
		if !ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(copied), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(copied, b, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(top, name)] = copied
	}
	c := exec.CommandContext(ctx, "git", "apply", "--unidiff-zero", "-")
	c.Dir, c.Stdin = dir, bytes.NewReader(diff)
	// The copies are in no repository: git must not look for one further up.
	c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not apply to %v: %w\n%s", patch, slices.Sorted(maps.Keys(replace)), err, out)
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, list, 0o600)
}
