package event

import "reflect"

// The structs of the JSON objects, for the test of docs/events.md.
var (
	WireEvent   = reflect.TypeFor[wireEvent]()
	WireHello   = reflect.TypeFor[wireHello]()
	WireReply   = reflect.TypeFor[wireReply]()
	WireEntry   = reflect.TypeFor[wireEntry]()
	WireRequest = reflect.TypeFor[wireRequest]()
)

// RosterLine is rosterLine.
const RosterLine = rosterLine

// Size is size.
func (e Entry) Size() int { return e.size() }
