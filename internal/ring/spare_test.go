package ring

import "testing"

// What only those have that were told something costs nothing afterwards, whether or not anybody asks for more.
func TestToldKeepsNothing(t *testing.T) {
	r := New(Options{})
	e := Encoding{Append: func(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }}
	rd := r.Join(1, e, func() bool { return true })
	defer rd.Leave()
	if err := rd.Tell([]byte("welcome")); err != nil {
		t.Fatal(err)
	}
	if wire, n, err := rd.Next(); string(wire) != "welcome" || n != 1 || err != nil {
		t.Fatalf("%q, %d, %v", wire, n, err)
	}
	if rd.extra != nil {
		t.Errorf("%+v is left", rd.extra)
	}
}
