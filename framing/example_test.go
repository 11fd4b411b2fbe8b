package framing_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"duet.example/duet/framing"
)

// netstrings is a framing of its own: "5:hello,". The encoder and the wire encoding have no state, so it is both itself.
type netstrings struct{}

func (netstrings) New(limit int) (framing.Decoder, framing.Encoder) {
	return &netstringDecoder{max: cmp.Or(max(limit, 0), framing.DefaultMaxMessage)}, netstrings{}
}

func (netstrings) String() string { return "netstrings" }

func (netstrings) WireEncoding(bool) framing.WireEncoding { return netstrings{} }

func (netstrings) Gap(int) time.Duration { return 0 }

func (netstrings) Append(dst, body []byte) ([]byte, error) {
	return fmt.Appendf(dst, "%d:%s,", len(body), body), nil
}

type netstringDecoder struct {
	max int
	buf []byte
	err error
}

func (d *netstringDecoder) Feed(dst []framing.Message, b []byte) ([]framing.Message, error) {
	d.buf = append(d.buf, b...)
	for d.err == nil {
		head, rest, found := bytes.Cut(d.buf, []byte(":"))
		size, err := strconv.Atoi(string(head))
		switch {
		case found && (err != nil || size < 0 || size > d.max), len(head) > 9:
			d.buf, d.err = nil, framing.ErrTooLong
		case !found || len(rest) <= size:
			return dst, nil
		case rest[size] != ',':
			d.buf, d.err = nil, errors.New("netstring without a comma")
		default:
			dst = append(dst, framing.Message{Body: bytes.Clone(rest[:size])})
			d.buf = rest[size+1:]
		}
	}
	return dst, d.err
}

func (d *netstringDecoder) End(dst []framing.Message) ([]framing.Message, error) {
	if d.err == nil && len(d.buf) > 0 {
		d.err = framing.ErrCut
	}
	return dst, d.err
}

func (d *netstringDecoder) Rest() []byte {
	rest := d.buf
	d.buf = nil
	return rest
}

func (d *netstringDecoder) Held() int { return cap(d.buf) }

func (d *netstringDecoder) Shrink() { d.buf = bytes.Clone(d.buf) }

// A program may use a framing of its own.
func Example() {
	var f framing.Framing = netstrings{}
	decoder, encoder := f.New(1000)
	wire, _ := encoder.WireEncoding(false).Append(nil, []byte("hello"))
	fmt.Printf("%s\n", wire)
	messages, err := decoder.Feed(nil, []byte("3:你,4:tw"))
	fmt.Printf("%s %v\n", messages[0].Body, err)
	messages, err = decoder.End(nil)
	fmt.Printf("%d %v\n", len(messages), err)
	// Output:
	// 5:hello,
	// 你 <nil>
	// 0 stream ended inside a message
}

// A message to many peers is encoded once for each name.
func ExampleWireEncoding() {
	var encoders []framing.Encoder
	for _, f := range []framing.Framing{framing.LF, framing.CRLF, framing.Auto, framing.Length} {
		_, e := f.New(0)
		encoders = append(encoders, e)
	}
	shared := make(map[string][]byte)
	for _, e := range encoders {
		w := e.WireEncoding(false)
		b, found := shared[w.String()]
		if !found {
			b, _ = w.Append(nil, []byte("hi"))
			shared[w.String()] = b
		}
		fmt.Printf("%s %q\n", w, b)
	}
	fmt.Println(len(shared), "encodings")
	// Output:
	// lf "hi\n"
	// crlf "hi\r\n"
	// lf "hi\n"
	// length "\x00\x00\x00\x02hi"
	// 3 encodings
}
