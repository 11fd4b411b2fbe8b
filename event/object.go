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

// decodeObject decodes the JSON object b into the struct that into points to: each field from the name in its json tag,
// exactly as it is written there. A name that stands twice is an error, since readers differ about which one counts. With
// strict, a name that is not known and a null are errors as well. Without, null leaves a field as it is, also null instead of
// the object. found are the names in b. After an error, fields that could be decoded are there.
//
// encoding/json alone would take "DO" for "do", and the last of two.
func decodeObject(b []byte, into any, strict bool) (found map[string]bool, err error) {
	if open := bytes.TrimLeft(b, " \t\r\n"); len(open) == 0 || open[0] != '{' || !json.Valid(b) {
		if err := unmarshal(b, new(struct{})); err != nil { // it has the words for what is wrong
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

// typeOf is the value of "type" in b, which may be no JSON; "" if none is found. What is wrong is for decodeObject to say. A server
// writes it near the beginning, so that a long line is not read twice.
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

// inField names the field in err, where that is a value that it does not take.
func inField(name string, err error) error {
	bad, ok := errors.AsType[*fieldError](err)
	if !ok {
		return err
	}
	inner := *bad.err
	inner.Field = strings.TrimSuffix(name+"."+inner.Field, ".")
	return &fieldError{&inner}
}

var names sync.Map // of structs: reflect.Type to map[string]int

// namesOf gives the fields of a struct by the names in their tags.
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
