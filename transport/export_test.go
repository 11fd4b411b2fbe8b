package transport

import "net"

// SetPeerUser has lc ask f whose a peer is.
func (lc *ListenConfig) SetPeerUser(f func(net.Conn) (uid int, err error)) { lc.peerUser = f }
