package mutants

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMutants makes every mutant whose name DUET_MUTANTS matches, DUET_MUTANTS_PARALLEL (2) at a time.
func TestMutants(t *testing.T) {
	names := os.Getenv("DUET_MUTANTS")
	if names == "" {
		t.Skip("it takes minutes: make mutants runs it")
	}
	if runtime.GOOS != "linux" {
		t.Fatalf("some guards, and their tests, are those of Linux; this is %s", runtime.GOOS)
	}
	wanted, err := regexp.Compile(names)
	if err != nil {
		t.Fatal(err)
	}
	parallel, err := strconv.Atoi(cmp.Or(os.Getenv("DUET_MUTANTS_PARALLEL"), "2"))
	if err != nil || parallel < 1 {
		t.Fatalf("DUET_MUTANTS_PARALLEL: want a number above zero (%v)", err)
	}
	var chosen []mutant
	for _, m := range table(t) {
		if wanted.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	tree, err := files(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	var shops []*workshop
	fit := new(fitness)
	for range parallel {
		shops = append(shops, newWorkshop(t, root, tree, 25*time.Second, fit))
	}
	count := map[verdict]int{}
	var mu sync.Mutex
	each(t, shops, chosen, func(m mutant, r result) {
		mu.Lock()
		defer mu.Unlock()
		count[r.verdict]++
		fmt.Printf("%-9s %-34s %5.1fs  %s\n", r.verdict, m.name, r.took.Seconds(), r.why)
		if r.verdict != killed {
			t.Errorf("%s: %s", m.name, r.verdict)
		}
	})
	fmt.Printf("%d mutants: %d killed, %d survived, %d broken\n", len(chosen), count[killed], count[survived], count[broken])
	if len(chosen) == 0 {
		t.Errorf("no mutant is called %s", names)
	}
}

func newWorkshop(t *testing.T, from string, tree []string, limit time.Duration, fit *fitness) *workshop {
	t.Helper()
	w := &workshop{dir: t.TempDir(), bin: t.TempDir(), limit: limit, fit: fit}
	if err := copyTree(from, w.dir, tree); err != nil {
		t.Fatal(err)
	}
	return w
}

// each has the workshops try mutants until there are no more.
func each(t *testing.T, shops []*workshop, all []mutant, done func(mutant, result)) {
	t.Helper()
	next := make(chan mutant)
	var wg sync.WaitGroup
	for _, w := range shops {
		wg.Go(func() {
			for m := range next {
				done(m, w.try(t.Context(), m))
			}
		})
	}
	for _, m := range all {
		next <- m
	}
	close(next)
	wg.Wait()
}

// fixture is a module with a guard that is watched, one that is not, and tests that hang or fail.
var fixture = map[string]string{
	"go.mod": "module example.org/guard\n",
	"guard.go": `package guard

func capped(n int) int {
	if n > 10 {
		return 10
	}
	return n
}

func watched() bool {
	return true
}

func unwatched() bool { return true }
`,
	"guard_test.go": `package guard

import (
	"testing"
	"time"
)

func TestCapped(t *testing.T) {
	if got := capped(11); got != 10 {
		t.Errorf("got %d", got)
	}
}

func TestWaits(t *testing.T) {
	for !watched() {
		time.Sleep(time.Millisecond)
	}
}

func TestRed(t *testing.T) { t.Fail() }
`,
}

const fixtureTable = `
name: killed
file: guard.go
test: . TestWaits
test: . TestCapped
-	if n > 10 {
+	if n > 20 {

name: survives
file: guard.go
test: . TestCapped
-func unwatched() bool { return true }
+func unwatched() bool { return false }

name: compiles not
file: guard.go
test: . TestCapped
-		return 10
+		return ten

name: hangs
file: guard.go
test: . TestWaits
-	return true
+	return false

name: may hang
file: guard.go
test: . TestWaits
hang: red
-	return true
+	return false

name: red anyway
file: guard.go
test: . TestRed
-	if n > 10 {
+	if n > 20 {

name: no test
file: guard.go
test: . TestGone
-	if n > 10 {
+	if n > 20 {

name: gone
file: guard.go
test: . TestCapped
-	if n > 11 {
+	if n > 20 {
`

// TestVerdicts has one mutant of each kind made.
func TestVerdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls the compiler")
	}
	dir := t.TempDir()
	for name, text := range fixture {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := parse("fixture", []byte(fixtureTable))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		verdict verdict
		why     string
	}{
		"killed":       {killed, "TestCapped"},
		"survives":     {survived, "TestCapped"},
		"compiles not": {broken, "does not compile"},
		"hangs":        {broken, "hang"},
		"may hang":     {killed, "TestWaits hangs"},
		"red anyway":   {broken, "without the mutant: TestRed"},
		"no test":      {broken, "no test runs"},
		"gone":         {broken, "0 times"},
	}
	tree, err := files(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	shop := newWorkshop(t, dir, tree, 2*time.Second, new(fitness))
	each(t, []*workshop{shop}, all, func(m mutant, r result) {
		if w := want[m.name]; r.verdict != w.verdict || !strings.Contains(r.why, w.why) {
			t.Errorf("%s: %s, %s; want %s, %s", m.name, r.verdict, r.why, w.verdict, w.why)
		}
		delete(want, m.name)
		if text, err := os.ReadFile(filepath.Join(shop.dir, "guard.go")); err != nil || string(text) != fixture["guard.go"] {
			t.Errorf("after %s the code is not as it was (%v)", m.name, err)
		}
	})
	if len(want) > 0 {
		t.Errorf("never made: %v", want)
	}
}
