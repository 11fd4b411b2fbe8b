package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out to testdata, to be looked at")

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", name, got)
	}
}

// made is a report with made-up figures: of all that is drawn, of an error, and of a row that was left out.
func made() report {
	tallied := func(r Row, duet string, rounds map[string][]float64, curve func(i int) []Point) table {
		t := table{About: r.About()}
		for _, name := range []string{"duet", "C <limit>", "ncat"} {
			y := tally{Name: name, Duet: name == duet}
			for i, v := range rounds[name] {
				s := Sample{Figures: map[string]float64{}}
				for k, c := range t.Columns {
					s.Figures[c.Name] = v / float64(k+1)
				}
				if curve != nil {
					s.Curve = curve(i)
				}
				y.samples = append(y.samples, s)
			}
			t.Tallies = append(t.Tallies, y)
		}
		for i := range t.Tallies {
			t.Tallies[i].sum(t.Columns, t.Tallies[0].samples)
		}
		return t
	}
	sizes := func(i int) []Point { return []Point{{1000, 5e6}, {5000, 2e7 + float64(i)}, {19000, 9e7}} }
	quantiles := func(i int) []Point { return []Point{{0.01, 9e3}, {0.5, 2e4 + float64(i)}, {0.99, 1e5}, {0.999, 3e5}} }
	bulk := tallied(bulkPipe{}, "duet", map[string][]float64{"duet": {5, 4, 5.5}, "C <limit>": {6, 5, 6}, "ncat": {0.9, 0.8, 1}}, nil)
	many := tallied(idleMany{}, "duet", map[string][]float64{"duet": {4483, 4500, 4490}, "C <limit>": {0, -2, 0}}, sizes)
	echo := tallied(echo{1}, "duet", map[string][]float64{"duet": {128000, 127000, 130000}, "C <limit>": {186000, 180000, 190000}, "ncat": {24000}}, quantiles)
	room := tallied(roomBlast{1000}, "duet", map[string][]float64{"duet": {80, 81, 79}, "ncat": {30, 31, 33}}, nil)
	more := tallied(roomBlast{10000}, "duet", map[string][]float64{"duet": {60, 61, 59}, "C <limit>": {70, 70, 71}}, nil)
	room.Tallies[1].Error, room.Tallies[1].Wrong = "wrong result: 3 bytes | missing", true
	return report{
		Schema: schema, Machine: machine{System: "linux/amd64 6.1", CPU: "Some CPU", CPUs: 2, GiB: 24, Go: "go1.26"}, Load: []string{"0.10 0.20 0.30", "1.00 2.00 3.00"},
		Versions: map[string]string{"duet": "duet 1.0", "ncat": "Ncat: Version 7.93 ( https://nmap.org/ncat )"}, Rounds: 3, Seconds: 601,
		Rows: []table{bulk, many, echo, room, more, {About: accept{}.About(), LeftOut: "there is no compiler"}},
	}
}

func TestText(t *testing.T) {
	var text strings.Builder
	if err := made().text(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "result.txt", text.String())
}

func TestMarkdown(t *testing.T) {
	golden(t, "result.md", made().markdown(plots(made())))
}

// The form of the JSON is what others read: a change of it is a change of the schema's number.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := made().save("-", &b); err != nil {
		t.Fatal(err)
	}
	golden(t, "result.json", b.String())
	file := filepath.Join(t.TempDir(), "result.json")
	if err := made().save(file, nil); err != nil {
		t.Fatal(err)
	}
	back, err := loadReport(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.MarshalIndent(back, "", "  ")
	if err != nil || string(again)+"\n" != b.String() {
		t.Errorf("what is read back is another report (%v):\n%s", err, again)
	}
	if got, want := back.markdown(plots(back)), made().markdown(plots(made())); got != want {
		t.Errorf("what is read back is shown otherwise:\n%s", got)
	}
	back.Schema++
	if err := back.save(file, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := loadReport(file); err == nil {
		t.Error("a report of another schema was read")
	}
}

func TestPublish(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := made().publish(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "result.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bulk.svg", "memory.svg", "room.svg", "latency-echo-1.svg"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(text), "]("+name+")") {
			t.Errorf("%s is not in the Markdown", name)
		}
	}
}

// Every row in the result of a run that had a fault makes the run fail, after all has been written.
func TestRunFailsForWrongResults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "in.json")
	r := made()
	if err := r.save(file, nil); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := run(t.Context(), []string{"-draw", file, "-out", filepath.Join(dir, "out")}, &out, &out)
	if err == nil || !strings.Contains(err.Error(), "room-blast-1000: C <limit>: wrong result") {
		t.Errorf("error %v, want the wrong result", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "result.md")); err != nil {
		t.Error(err)
	}
	r.Rows[3].Tallies[1].Wrong = false
	if err := r.save(file, nil); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-draw", file, "-out", dir}, &out, &out); err != nil {
		t.Errorf("a tool that broke made the run fail: %v", err)
	}
}

func TestGrouped(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{0, 0, "0"}, {-0.2, 0, "0"}, {-2, 0, "-2"}, {999, 0, "999"}, {1000, 0, "1,000"}, {-1234567.891, 2, "-1,234,567.89"}, {0.125, 3, "0.125"}} {
		if got := grouped(c.v, c.digits); got != c.want {
			t.Errorf("grouped(%v, %d) = %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}
