package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// decodeObject decodes the JSON object b into the struct to which into points. The name of a field is its json tag, letter for
// letter. A name that stands twice is an error, because readers differ about which one counts. found holds the names in b.
// After an error, the fields that could be decoded are set.
//
// If strict is true, unknown names and null are errors. If it is false, null leaves a field unchanged. So does null instead of
// the object.
//
// Package json alone would accept "DO" for "do", and of two equal names it would use the last.
func decodeObject(b []byte, into any, strict bool) (found map[string]bool, err error) {
	if open := bytes.TrimLeft(b, " \t\r\n"); len(open) == 0 || open[0] != '{' || !json.Valid(b) {
		if err := unmarshal(b, new(struct{})); err != nil { // its error describes the fault
			return nil, err
		}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if open, err := dec.Token(); open == nil || err != nil {
		return nil, err
	}
	to := reflect.ValueOf(into).Elem()
	known := namesOf(to.Type())
	found = make(map[string]bool)
	for dec.More() {
		var value json.RawMessage
		name, err2 := dec.Token()
		if err2 == nil {
			err2 = dec.Decode(&value)
		}
		if err2 != nil {
			return found, errors.Join(err, plain(err2))
		}
		key := name.(string)
		i, ok := known[key]
		switch {
		case found[key]:
			err2 = fmt.Errorf("%q stands twice", key)
		case ok && strict && string(value) == "null":
			err2 = fmt.Errorf("%q cannot be null", key)
		case ok:
			err2 = inField(key, unmarshal(value, to.Field(i).Addr().Interface()))
		case strict:
			err2 = fmt.Errorf("no field is called %q", key)
		}
		found[key] = true
		if err == nil {
			err = err2
		}
	}
	return found, err
}

// typeOf returns the value of "type" in b, or "". b need not be JSON, and decodeObject reports its faults. A server writes
// "type" near the start of a line, so that a long line is not read twice.
func typeOf(b []byte) (typ string) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err != nil || dec.Decode(&value) != nil {
			return ""
		}
		if name == "type" {
			_ = json.Unmarshal(value, &typ)
			return typ
		}
	}
	return ""
}

// inField adds the name of the field to err if err is a fieldError.
func inField(name string, err error) error {
	bad, ok := errors.AsType[*fieldError](err)
	if !ok {
		return err
	}
	inner := *bad.err
	inner.Field = strings.TrimSuffix(name+"."+inner.Field, ".")
	return &fieldError{&inner}
}

var names sync.Map // the fields of structs: reflect.Type to map[string]int

// namesOf returns the indexes of the fields of a struct, by the names in their tags.
func namesOf(t reflect.Type) map[string]int {
	if m, ok := names.Load(t); ok {
		return m.(map[string]int)
	}
	m := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		m[name] = i
	}
	names.Store(t, m)
	return m
}
