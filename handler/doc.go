// Package handler has the handlers of duet that need no person: [Echo], [Discard], [Exec], [Shared], [Forward] and [Pipe]. Each is a
// [duet.Handler], in a file of its own. Read Echo first.
//
// A handler answers with messages, or takes over the bytes of the conversation with [duet.Conn.Raw]. If nobody has to look at the bytes, the
// system copies them. The package knows no screens.
//
// The comment on each handler says with which endings ([duet.EndReason]) its conversations end. The conversation itself adds `kicked` and
// `shutdown`, and `overload` under a memory limit.
package handler
