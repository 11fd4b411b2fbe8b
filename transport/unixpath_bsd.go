//go:build unix && !linux

package transport

// maxUnixPath is the size of sun_path without its final zero byte (unix(4)).
const maxUnixPath = 103
