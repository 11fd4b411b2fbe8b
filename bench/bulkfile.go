package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// bulkFile is a file that goes through TCP to nowhere.
type bulkFile struct{}

func (bulkFile) About() About {
	return About{
		Name: "bulk-file",
		What: "a file of 2 GiB that is in memory (512 MiB on a small machine), through two programs and TCP between them, to /dev/null, from the start of the sender to the end of both; compared by digest before that",
		Columns: []Column{
			{Name: "bulk-file", What: "through", Unit: "GB/s", Digits: 2, Target: "at least 0.95 of C, ahead of socat"},
			{Name: "bulk-file-cpu", What: "CPU time of both programs", Unit: "s per GB", Digits: 3},
		},
	}
}

func (b bulkFile) Subjects(lab *Lab) ([]Subject, error) {
	pairs, err := lab.pairs()
	if err != nil {
		return nil, err
	}
	return b.measure(lab, pairs)
}

// measure makes pairs the subjects of the row.
func (bulkFile) measure(lab *Lab, pairs []pair) ([]Subject, error) {
	var all []Subject
	for _, p := range pairs {
		verified := once(func(ctx context.Context) error { return p.verify(ctx, lab.dir, true) })
		all = append(all, Subject{Name: p.name, Duet: p.duet, Measure: func(ctx context.Context) (Sample, error) {
			ctx, cancel := context.WithTimeout(ctx, longest)
			defer cancel()
			if err := verified(ctx); err != nil {
				return Sample{}, err
			}
			return p.file(ctx, lab)
		}})
	}
	return all, nil
}

func (p pair) file(ctx context.Context, lab *Lab) (Sample, error) {
	name, size, err := lab.bigFile()
	if err != nil {
		return Sample{}, err
	}
	from, err := os.Open(name)
	if err != nil {
		return Sample{}, err
	}
	defer from.Close()
	to, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return Sample{}, err
	}
	defer to.Close()
	t, err := p.start(ctx, nil, from, to)
	if err != nil {
		return Sample{}, err
	}
	defer t.end()
	cpu, err := t.wait()
	if err != nil {
		return Sample{}, err
	}
	n := float64(size)
	return Sample{Figures: map[string]float64{"bulk-file": n / float64(time.Since(t.sendAt)), "bulk-file-cpu": cpu.Seconds() / n * 1e9}}, nil
}

// bigFile is a file that has just been written, or read, so that no disk is measured.
func (lab *Lab) bigFile() (string, int64, error) {
	if lab.big == "" {
		b, _ := os.ReadFile("/proc/meminfo")
		size := int64(2 << 30)
		if field(string(b), "MemAvailable:")<<10 < 4*size {
			size /= 4
		}
		name := filepath.Join(lab.dir, "big")
		f, err := os.Create(name)
		if err != nil {
			return "", 0, err
		}
		defer f.Close()
		block := make([]byte, 8<<20)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(block)
		for lab.bigSize = 0; lab.bigSize < size; lab.bigSize += int64(len(block)) {
			if _, err := f.Write(block); err != nil {
				return "", 0, err
			}
		}
		// What is still to be written to the disk later would disturb what is measured then.
		if err := f.Sync(); err != nil {
			return "", 0, err
		}
		lab.big = name
	}
	return lab.big, lab.bigSize, nil
}
