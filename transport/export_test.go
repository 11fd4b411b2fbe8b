package transport

import "net"

// SetPeerUser makes lc use f to find a peer's user.
func (lc *ListenConfig) SetPeerUser(f func(net.Conn) (uid int, err error)) { lc.peerUser = f }
